package e2e_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	sdk "go.temporal.io/sdk/temporal"

	"lumaflow/internal/kie/kietest"
	"lumaflow/internal/paid/runs"
	"lumaflow/starter"
	"lumaflow/workflows"
)

// inputWith is the input of a job with further fields, in JSON.
func inputWith(prompt, fields string) string {
	input := jobInput(prompt)
	return input[:len(input)-1] + "," + fields + "}"
}

// hasCollector reports whether a task has a collecting job.
func (w *world) hasCollector(taskID string) bool {
	_, err := w.client.DescribeWorkflow(w.t.Context(), runs.CollectorID(taskID), "")
	if _, missing := errors.AsType[*serviceerror.NotFound](err); !missing {
		require.NoError(w.t, err)
	}
	return err == nil
}

// collected waits until the collecting job of a charge has stored it.
func (w *world) collected(charge kietest.Charge) {
	w.t.Helper()
	w.until("the task has a collecting job", func() bool { return w.hasCollector(charge.TaskID) })
	result, err := w.result(runs.CollectorID(charge.TaskID))
	require.NoError(w.t, err)
	w.verified(result, charge)
}

// releaseCallback ends a held render and waits until its callback is acknowledged.
func (w *world) releaseCallback(prompt string) {
	w.t.Helper()
	w.control("release", struct{}{})
	w.until("the callback is acknowledged", func() bool { return w.charge(prompt).Callbacks.Acknowledged > 0 })
}

// The callback of a lost task comes after its job has failed.
func TestCallbackAfterTheRecoveryWindow(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	const id = "e2e-late-callback"
	prompt := kietest.WithFaults(id+" [render: held]", kietest.ResponseLost)
	w.start(id, inputWith(prompt, `"recoveryWindow":"2s"`))
	_, err := w.result(id)
	var failed *sdk.ApplicationError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, workflows.SubmitUnknown, failed.Type())
	w.releaseCallback(prompt)
	w.collected(w.charge(prompt))
	require.Equal(t, 1, w.ledger().Charges)
	w.until("nothing is at risk", func() bool { return len(w.atRisk()) == 0 })
}

// A person's decision stands: the task is listed, and the command collects it.
func TestCallbackAfterAPersonEndedTheJob(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	for name, end := range map[string]func(id string) answer{
		"cancelled":   func(id string) answer { return w.temporalCLI("workflow", "cancel", "--workflow-id", id) },
		"terminated":  func(id string) answer { return w.temporalCLI("workflow", "terminate", "--workflow-id", id) },
		"written-off": func(id string) answer { return w.run("resolve", id, "--write-off") },
	} {
		t.Run(name, func(t *testing.T) {
			w := *w
			w.t = t
			id := "e2e-late-" + name
			prompt := kietest.WithFaults(id+" [render: held]", kietest.ResponseLost)
			w.start(id, jobInput(prompt))
			w.awaitJobStage(id, workflows.StageSubmitUnknown)
			ended := end(id)
			require.Zero(t, ended.code, ended.err)
			_, err := w.result(id)
			require.Error(t, err)
			w.releaseCallback(prompt)
			w.collectByHand(prompt)
		})
	}
	require.Equal(t, 3, w.ledger().Charges)
}

// collectByHand requires that the task of a prompt is at risk, and collects it with
// the command that is shown.
func (w *world) collectByHand(prompt string) {
	w.t.Helper()
	charge := w.charge(prompt)
	var risk starter.Risk
	w.until("the task is at risk", func() (listed bool) {
		risk, listed = w.atRisk()[charge.TaskID]
		return listed
	})
	require.Zero(w.t, w.charge(prompt).Downloads, "nothing collects it by itself")
	require.False(w.t, risk.State.Open())
	shown := w.run("list", "--at-risk")
	require.Zero(w.t, shown.code, shown.err)
	require.Contains(w.t, shown.err, "lumaflow rescue "+charge.TaskID)

	stored := w.run("submit", "--task-id", charge.TaskID, "--wait")
	require.Zero(w.t, stored.code, stored.err)
	w.collected(w.charge(prompt))
	w.until("it is no longer at risk", func() bool {
		_, listed := w.atRisk()[charge.TaskID]
		return !listed
	})
}

// A worker receives the task id after a person has terminated the job. No webhook
// runs.
func TestEvidenceAfterATermination(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{noCallbacks: true})
	const id = "e2e-late-evidence"
	prompt := kietest.WithFaults(id, kietest.SlowResponse)
	w.start(id, jobInput(prompt))
	w.until("the request is in flight", func() bool { return w.charged(prompt) })
	terminated := w.temporalCLI("workflow", "terminate", "--workflow-id", id)
	require.Zero(t, terminated.code, terminated.err)
	w.collectByHand(prompt)
	require.Equal(t, 1, w.ledger().Charges)
}
