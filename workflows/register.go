package workflows

import (
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// Register adds the workflows to a worker, a test environment or a replayer. On
// versioned workers a job is pinned to the version that it started on: it ends
// within days, and no later version has to replay it.
func Register(registry worker.WorkflowRegistry) {
	registry.RegisterWorkflowWithOptions(ModifyVideo, workflow.RegisterOptions{
		Name:               ModifyVideoName,
		VersioningBehavior: workflow.VersioningBehaviorPinned,
	})
}
