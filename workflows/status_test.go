package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdkpb "go.temporal.io/api/sdk/v1"

	"lumaflow/workflows"
)

// The Temporal UI renders current details as Markdown: a command in them must
// come out as it is to be typed.
func TestCurrentDetailsShowCommandsAsCode(t *testing.T) {
	l := newLife(t)
	l.submits(l.unknown())
	var shown sdkpb.WorkflowMetadata
	l.RegisterDelayedCallback(func() {
		answer, err := l.QueryWorkflow("__temporal_workflow_metadata")
		require.NoError(t, err)
		require.NoError(t, answer.Get(&shown))
	}, time.Minute)
	l.run(request).failsWith(workflows.SubmitUnknown)
	require.Contains(t, shown.CurrentDetails, "**submit-unknown** since")
	require.Contains(t, shown.CurrentDetails, "`lumaflow resolve default-test-workflow-id --adopt TASKID, --resubmit or --write-off`")
}
