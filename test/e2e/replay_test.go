package e2e_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"lumaflow/workflows"
)

// This build replays the jobs of a worker of this build, and ignores other workflow
// types.
func TestReplayCheckPasses(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{env: []string{"POLL_AFTER=10m"}})
	const done, open, strange = "e2e-replay-done", "e2e-replay-open/日本語 🎬", "e2e-replay-strange"
	w.start(done, jobInput("replay done"))
	_, err := w.result(done)
	require.NoError(t, err)
	w.start(open, jobInput("replay open [fault: callback-lost]"))
	w.awaitJobStage(open, workflows.StageWaiting)
	_, err = temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: strange, TaskQueue: w.taskQueue}, "Strange")
	require.NoError(t, err)
	defer terminate(t, open, strange)
	w.awaitListed(2)

	got := w.run("replay-check")
	require.Zero(t, got.code, got.err)
	require.Equal(t, "replayed 1 open and 1 closed job: this build can take over\n", got.out)
	require.Empty(t, got.err)

	got = w.run("replay-check", "--closed", "0", "--json")
	require.Zero(t, got.code, got.err)
	require.JSONEq(t, `{"open":1,"closed":0,"gone":0}`, got.out)

	got = w.run("replay-check", "--closed", "-1")
	require.Equal(t, 2, got.code)
}

// A job that other code started is reported.
func TestReplayCheckFails(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{noCallbacks: true})
	w.worker.kill()
	const id = "e2e-replay-other"
	w.startOnOtherCode(id)
	defer terminate(t, id)

	got := w.run("replay-check")
	require.Equal(t, 1, got.code)
	require.Empty(t, got.out)
	require.Regexp(t, `^lumaflow: job e2e-replay-other \(run [0-9a-f-]+\) would break under this build: its history has TimerStarted.*Next: .*\n$`, got.err)

	got = w.run("replay-check", "--json")
	require.Equal(t, 1, got.code)
	var printed struct {
		Breaks struct{ WorkflowID, Reason string }
	}
	require.NoError(t, json.Unmarshal([]byte(got.out), &printed))
	require.Equal(t, id, printed.Breaks.WorkflowID)
	require.NotEmpty(t, printed.Breaks.Reason)
}

// startOnOtherCode starts a job on a worker whose workflow code is not that of this
// build: the job's history does not replay. The worker stops at the end of the test.
func (w *world) startOnOtherCode(id string) {
	w.t.Helper()
	other := worker.New(temporal, w.taskQueue, worker.Options{DisableRegistrationAliasing: true})
	other.RegisterWorkflowWithOptions(func(ctx workflow.Context, _ workflows.ModifyVideoInput) error {
		return workflow.Sleep(ctx, time.Hour)
	}, workflow.RegisterOptions{Name: workflows.ModifyVideoName})
	require.NoError(w.t, other.Start())
	w.t.Cleanup(other.Stop)
	w.start(id, jobInput("other"))
	w.until("the other code has run", func() bool { return len(w.events(id)) >= 5 })
	w.awaitListed(1)
}

// terminate ends jobs that are still open at the end of the test.
func terminate(t *testing.T, ids ...string) {
	t.Helper()
	for _, id := range ids {
		require.NoError(t, temporal.TerminateWorkflow(t.Context(), id, "", "the test is over"))
	}
}

// awaitListed waits until Temporal's eventually consistent list has a number of
// jobs.
func (w *world) awaitListed(jobs int) {
	w.t.Helper()
	w.until("the jobs are listed", func() bool {
		var entries []struct{}
		return json.Unmarshal([]byte(w.run("list", "--json").out), &entries) == nil && len(entries) == jobs
	})
}
