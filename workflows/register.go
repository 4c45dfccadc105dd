package workflows

import (
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// Register adds the workflows to a worker, a test environment or a replayer. On
// workers with a version a job stays with the version that it began on: it is
// over in a day or two, and no change of the code can then strand it.
func Register(registry worker.WorkflowRegistry) {
	registry.RegisterWorkflowWithOptions(ModifyVideo, workflow.RegisterOptions{
		Name:               ModifyVideoName,
		VersioningBehavior: workflow.VersioningBehaviorPinned,
	})
}
