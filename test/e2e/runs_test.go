package e2e_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	sdk "go.temporal.io/sdk/temporal"

	"lumaflow/internal/kie/kietest"
	"lumaflow/workflows"
)

// reset resets a job by Temporal's CLI and returns when the new run is the latest.
func (w *world) reset(id, kind string, more ...string) {
	w.t.Helper()
	var got answer
	// A loaded server is busy with the workflow at times, and resets nothing then.
	w.until("Temporal is not busy with "+id, func() bool {
		got = w.temporalCLI(append([]string{"workflow", "reset", "--workflow-id", id, "--type", kind, "--reason", "e2e"}, more...)...)
		return !strings.Contains(got.err, "Workflow is busy")
	})
	require.Zero(w.t, got.code, got.err)
}

// paidOnce waits for the end of a job: its video is stored and paid once.
func (w *world) paidOnce(id, prompt string) workflows.ModifyVideoResult {
	w.t.Helper()
	result, err := w.result(id)
	require.NoError(w.t, err, id)
	w.verified(result, w.charge(prompt))
	require.Equal(w.t, 1, w.ledger().Charges)
	return result
}

// A run that is reset, however far it was, collects the task that it paid before.
func TestReset(t *testing.T) {
	t.Parallel()
	t.Run("a done job", func(t *testing.T) {
		t.Parallel()
		w := enter(t, setup{})
		w.start("e2e-reset-done", jobInput("reset done"))
		first := w.paidOnce("e2e-reset-done", "reset done")
		w.reset("e2e-reset-done", "FirstWorkflowTask")
		require.Equal(t, first.TaskID, w.paidOnce("e2e-reset-done", "reset done").TaskID)
	})
	for name, kind := range map[string]string{"first": "FirstWorkflowTask", "last": "LastWorkflowTask"} {
		t.Run("while the task renders, "+name, func(t *testing.T) {
			t.Parallel()
			w := enter(t, setup{})
			id := "e2e-reset-rendering-" + name
			prompt := id + " [render: held]"
			w.start(id, jobInput(prompt))
			w.awaitJobStage(id, workflows.StageWaiting)
			w.reset(id, kind)
			w.awaitJobStage(id, workflows.StageWaiting)
			w.control("release", struct{}{})
			w.paidOnce(id, prompt)
		})
		t.Run("while the request is in flight, "+name, func(t *testing.T) {
			t.Parallel()
			w := enter(t, setup{})
			id := "e2e-reset-in-flight-" + name
			prompt := id + " [fault: " + kietest.SlowResponse + "]"
			w.start(id, jobInput(prompt))
			w.until("the request is in flight", func() bool { return w.charged(prompt) })
			w.reset(id, kind)
			w.paidOnce(id, prompt)
		})
	}
}

// awaitJobStage waits until a job is in a stage.
func (w *world) awaitJobStage(id string, stage workflows.Stage) {
	w.t.Helper()
	w.until(id+" is "+string(stage), func() bool {
		status, ok := w.status(id)
		return ok && status.Stage == stage
	})
}

// The runs of a retry policy pay once.
func TestRetryPolicy(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	const id, prompt = "e2e-retried", "retried [render: held]"
	run, err := w.client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: id, TaskQueue: w.taskQueue, WorkflowRunTimeout: 7 * time.Second,
		RetryPolicy: &sdk.RetryPolicy{InitialInterval: time.Second, MaximumInterval: time.Second, MaximumAttempts: 20},
	}, workflows.ModifyVideoName, workflows.ModifyVideoInput{Prompt: prompt, VideoURL: "https://cdn.example.org/in.mp4"})
	require.NoError(t, err)
	w.until("it is retried", func() bool {
		described, err := w.client.DescribeWorkflow(t.Context(), id, "")
		return err == nil && described.WorkflowExecution.RunID != run.GetRunID()
	})
	w.control("release", struct{}{})
	w.paidOnce(id, prompt)
}

// A cron schedule would pay at each firing.
func TestCronSchedule(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	const id = "e2e-cron"
	run, err := w.client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: id, TaskQueue: w.taskQueue, CronSchedule: "@every 1s",
	}, workflows.ModifyVideoName, workflows.ModifyVideoInput{Prompt: id, VideoURL: "https://cdn.example.org/in.mp4"})
	require.NoError(t, err)
	t.Cleanup(func() { _ = w.client.TerminateWorkflow(t.Context(), id, "", "end of the test") })
	w.until("the first firing ends", func() bool {
		described, err := w.client.DescribeWorkflow(t.Context(), id, run.GetRunID())
		return err == nil && described.WorkflowCloseTime != nil
	})
	// Temporal continues a cron workflow whatever its end is.
	events := w.client.GetWorkflowHistory(t.Context(), id, run.GetRunID(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT)
	require.True(t, events.HasNext())
	last, err := events.Next()
	require.NoError(t, err)
	failure := last.GetWorkflowExecutionContinuedAsNewEventAttributes().GetFailure() //nolint:staticcheck // deprecated for all but cron
	require.Equal(t, workflows.InvalidRequest, failure.GetApplicationFailureInfo().GetType())
	require.Contains(t, failure.GetMessage(), "each firing would pay")
	require.Zero(t, w.ledger().Charges)
}

// The worker dies while its request is in flight, and an operator resets the
// evidence that it left.
func TestEvidenceIsReset(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	const id = "e2e-evidence-reset"
	prompt := id + " [fault: " + kietest.SlowResponse + "] [render: held]"
	w.start(id, jobInput(prompt))
	w.until("the request is in flight", func() bool { return w.charged(prompt) })
	w.worker.kill()
	described, err := w.client.DescribeWorkflow(t.Context(), id, "")
	require.NoError(t, err)
	pending := described.RawResponse.GetPendingActivities()
	require.Len(t, pending, 1)
	activity := []string{"--workflow-id", id, "--activity-id", pending[0].GetActivityId()}
	got := w.temporalCLI(append([]string{"activity", "pause"}, activity...)...)
	require.Zero(t, got.code, got.err)
	got = w.temporalCLI(append([]string{"activity", "unpause", "--reset-attempts", "--reset-heartbeats"}, activity...)...)
	require.Zero(t, got.code, got.err)
	w.startWorker()
	w.awaitJobStage(id, workflows.StageSubmitUnknown)
	w.control("release", struct{}{})
	w.paidOnce(id, prompt)
}

// Temporal's other commands on a submission in flight never lead to a second
// payment. The job stands in submit-unknown until the callback of the task comes, or
// has the outcome from the worker that sent it.
func TestCommandsOnASubmission(t *testing.T) {
	t.Parallel()
	type job struct{ id, activityID string }
	commands := map[string]struct {
		// killed is whether the worker dies before the commands.
		killed   bool
		commands func(job) [][]string
	}{
		"reset without signals": {false, func(j job) [][]string {
			return [][]string{{"workflow", "reset", "--workflow-id", j.id, "--type", "FirstWorkflowTask", "--reapply-exclude", "All", "--reason", "e2e"}}
		}},
		"reset by query": {false, func(j job) [][]string {
			return [][]string{{"workflow", "reset", "--query", "WorkflowId = '" + j.id + "'", "--type", "FirstWorkflowTask", "--reason", "e2e", "--yes"}}
		}},
		"activity reset": {true, func(j job) [][]string {
			return [][]string{{"activity", "reset", "--workflow-id", j.id, "--activity-id", j.activityID, "--reset-heartbeats"}}
		}},
		"activity update-options": {true, func(j job) [][]string {
			return [][]string{{"activity", "update-options", "--workflow-id", j.id, "--activity-id", j.activityID,
				"--heartbeat-timeout", "2s", "--retry-maximum-attempts", "10", "--retry-initial-interval", "1s"}}
		}},
		"activity fail": {false, func(j job) [][]string {
			return [][]string{{"activity", "fail", "--workflow-id", j.id, "--activity-id", j.activityID, "--reason", "e2e"}}
		}},
	}
	for name, test := range commands {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := enter(t, setup{})
			j := job{id: "e2e-command-" + strings.ReplaceAll(name, " ", "-")}
			prompt := j.id + " [fault: " + kietest.SlowResponse + "] [render: held]"
			w.start(j.id, jobInput(prompt))
			w.until("the request is in flight", func() bool { return w.charged(prompt) })
			described, err := w.client.DescribeWorkflow(t.Context(), j.id, "")
			require.NoError(t, err)
			pending := described.RawResponse.GetPendingActivities()
			require.Len(t, pending, 1)
			j.activityID = pending[0].GetActivityId()
			if test.killed {
				w.worker.kill()
			}
			for _, command := range test.commands(j) {
				got := w.temporalCLI(command...)
				require.Zero(t, got.code, got.err)
			}
			if test.killed {
				w.startWorker()
			}
			w.until("the job has its task, or waits for it", func() bool {
				status, ok := w.status(j.id)
				return ok && (status.Stage == workflows.StageWaiting || status.Stage == workflows.StageSubmitUnknown)
			})
			w.control("release", struct{}{})
			w.paidOnce(j.id, prompt)
		})
	}
}

// The payments of a deleted run are unknown to later ones: they submit nothing.
func TestEarlierRunIsDeleted(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	const id = "e2e-earlier-run-deleted"
	w.start(id, jobInput(id))
	first, err := w.client.DescribeWorkflow(t.Context(), id, "")
	require.NoError(t, err)
	task := w.paidOnce(id, id).TaskID
	w.worker.kill()
	// Else the callback, which a reset applies again, would prove the task.
	w.reset(id, "FirstWorkflowTask", "--reapply-exclude", "All")
	got := w.temporalCLI("workflow", "delete", "--workflow-id", id, "--run-id", first.WorkflowExecution.RunID)
	require.Zero(t, got.code, got.err)
	w.until("the first run is deleted", func() bool {
		_, err := w.client.DescribeWorkflow(t.Context(), id, first.WorkflowExecution.RunID)
		return err != nil
	})
	w.startWorker()
	w.awaitJobStage(id, workflows.StageSubmitUnknown)
	resolved := w.run("resolve", id, "--adopt", task)
	require.Zero(t, resolved.code, resolved.err)
	w.paidOnce(id, id)
}
