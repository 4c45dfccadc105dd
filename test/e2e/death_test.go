package e2e_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdktemporal "go.temporal.io/sdk/temporal"

	"lumaflow/workflows"
)

func TestWorkerKilledDuringSubmission(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	prompt := "die [fault: slow-response]"
	w.start("e2e-die-submitting", jobInput(prompt))
	w.until("the charge is made", func() bool { return w.ledger().Charges == 1 })
	w.worker.kill()
	w.startWorker()
	result, err := w.result("e2e-die-submitting")
	require.NoError(t, err)
	w.verified(result, w.charge(prompt))
	require.Equal(t, "callback", result.WokenBy)
}

func TestWorkerKilledDuringWait(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	prompt := "die [render: held]"
	w.start("e2e-die-waiting", jobInput(prompt))
	w.awaitJobStage("e2e-die-waiting", workflows.StageWaiting)
	w.worker.kill()
	w.startWorker()
	w.control("release", struct{}{})
	result, err := w.result("e2e-die-waiting")
	require.NoError(t, err)
	w.verified(result, w.charge(prompt))
}

func TestWorkerKilledDuringDownload(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	// The download stalls in the middle, so that the kill interrupts it.
	prompt := "die [size: 40MB] [fault: stall]"
	w.start("e2e-die-downloading", jobInput(prompt))
	w.until("a part is downloaded", func() bool { return w.downloaded() > 1<<20 })
	w.worker.kill()
	part := w.downloaded()
	w.startWorker()
	result, err := w.result("e2e-die-downloading")
	require.NoError(t, err)
	charge := w.charge(prompt)
	w.verified(result, charge)
	require.Less(t, part, charge.Results[0].Bytes)
	require.Equal(t, 2, charge.Downloads)
	require.Zero(t, w.downloaded(), "the work folder is empty")
}

func TestWorkerAndWebhookDrain(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	prompt := "drain [fault: slow-response]"
	w.start("e2e-drain", jobInput(prompt))
	w.until("the charge is made", func() bool { return w.ledger().Charges == 1 })
	require.Zero(t, w.worker.stop(), "a worker completes a submission in flight before it stops")
	w.startWorker()
	result, err := w.result("e2e-drain")
	require.NoError(t, err)
	w.verified(result, w.charge(prompt))
	status, ok := w.status("e2e-drain")
	require.True(t, ok)
	require.Equal(t, 1, status.SubmitAttempts)
	require.Zero(t, w.webhook.stop())
}

// A cancelled job waits for the outcome of the request in flight, and its status
// names the charged task.
func TestCancelDuringSubmission(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	prompt := "cancel [fault: slow-response]"
	w.start("e2e-cancel-submitting", jobInput(prompt))
	w.until("the charge is made", func() bool { return w.ledger().Charges == 1 })
	require.NoError(t, temporal.CancelWorkflow(t.Context(), "e2e-cancel-submitting", ""))
	_, err := w.result("e2e-cancel-submitting")
	var canceled *sdktemporal.CanceledError
	require.ErrorAs(t, err, &canceled)
	status, ok := w.status("e2e-cancel-submitting")
	require.True(t, ok)
	require.Contains(t, status.Detail, "lumaflow submit --task-id "+w.charge(prompt).TaskID)
}

func TestJobStartedBeforeAnyWorker(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	w.worker.kill()
	prompt := "early"
	w.start("e2e-early", jobInput(prompt))
	shown := w.run("status", "e2e-early")
	require.Zero(t, shown.code, shown.err)
	require.Contains(t, shown.out+shown.err, "worker")
	w.startWorker()
	result, err := w.result("e2e-early")
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), result.CompletedAt, time.Hour)
}
