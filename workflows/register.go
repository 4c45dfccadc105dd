package workflows

import (
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// Register adds the workflows to a worker, a test environment or a replayer.
func Register(registry worker.WorkflowRegistry) {
	registry.RegisterWorkflowWithOptions(ModifyVideo, workflow.RegisterOptions{Name: ModifyVideoName})
}
