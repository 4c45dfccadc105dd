package replay_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"go.uber.org/goleak"

	"lumaflow/test/historyfile"
	replays "lumaflow/worker/replay"
	"lumaflow/workflows"
)

type (
	input  = workflows.ModifyVideoInput
	result = workflows.ModifyVideoResult
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorded is the recorded history of a scenario of package workflows.
func recorded(t *testing.T, name string) *historypb.History {
	t.Helper()
	history, err := historyfile.Read(filepath.Join("..", "..", "..", "workflows", "testdata", "histories", name+".json"))
	require.NoError(t, err)
	return history
}

// upTo is a history cut after a number of events.
func upTo(history *historypb.History, events int) *historypb.History {
	return &historypb.History{Events: history.GetEvents()[:events]}
}

// coded are options for a build with another ModifyVideo.
func coded(code func(workflow.Context, input) (result, error)) replays.Options {
	return replays.Options{Register: func(registry worker.WorkflowRegistry) {
		registry.RegisterWorkflowWithOptions(code, workflow.RegisterOptions{Name: workflows.ModifyVideoName})
	}}
}

// other is a workflow that begins with another activity.
func other(ctx workflow.Context, _ input) (result result, err error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
	return result, workflow.ExecuteActivity(ctx, "Other").Get(ctx, nil)
}
