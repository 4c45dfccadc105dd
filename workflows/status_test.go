package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdkpb "go.temporal.io/api/sdk/v1"

	"lumaflow/workflows"
)

// The Temporal UI renders current details as Markdown, which changes the hyphens of
// a command outside of code.
func TestCurrentDetailsShowCommandsAsCode(t *testing.T) {
	env := newJobEnv(t)
	env.onSubmit(env.unknown())
	var metadata sdkpb.WorkflowMetadata
	env.RegisterDelayedCallback(func() {
		answer, err := env.QueryWorkflow("__temporal_workflow_metadata")
		require.NoError(t, err)
		require.NoError(t, answer.Get(&metadata))
	}, time.Minute)
	env.run(request).failsWith(workflows.SubmitUnknown)
	require.Contains(t, metadata.CurrentDetails, "**submit-unknown** since")
	require.Contains(t, metadata.CurrentDetails, "`lumaflow resolve default-test-workflow-id --adopt TASKID, --resubmit or --write-off`")
}
