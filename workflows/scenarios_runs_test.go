package workflows_test

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"lumaflow/activities"
	"lumaflow/internal/paid/runs"
	"lumaflow/workflows"
)

// reads is an answer of EarlierRuns.
func reads(earlier func(*recording) runs.Earlier) earlierCall {
	return func(ctx context.Context, rec *recording, _ struct{}) (activities.Earlier, error) {
		found := earlier(rec)
		found.RunID, found.Runs = activity.GetInfo(ctx).WorkflowExecution.RunID, 1
		return activities.Earlier{Earlier: found, Settings: rec.settings()}, nil
	}
}

// earlierPaid are earlier runs that paid for tasks.
func earlierPaid(taskIDs ...string) earlierCall {
	return reads(func(rec *recording) (earlier runs.Earlier) {
		for _, taskID := range taskIDs {
			earlier.Tasks = append(earlier.Tasks, runs.Task{TaskID: taskID, SubmittedAt: rec.firstSubmission().At})
		}
		return earlier
	})
}

// began are earlier runs that began to send and have no outcome.
var began = reads(func(rec *recording) runs.Earlier {
	first := rec.firstSubmission()
	return runs.Earlier{Unknown: []runs.Submission{{At: first.At, Attempts: first.Attempts}}}
})

// paidNothing are earlier runs that sent nothing.
var paidNothing = reads(func(*recording) runs.Earlier { return runs.Earlier{} })

func (rec *recording) firstSubmission() activities.Evidence {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if len(rec.submissions) == 0 {
		return activities.Evidence{}
	}
	return rec.submissions[0]
}

// laterRunScenarios are jobs with several runs. The later ones continue with what
// the earlier ones paid.
func laterRunScenarios() []scenario {
	return []scenario{
		{
			name: "later-run-of-a-done-job", runs: 2,
			about:    "a done job is reset to its first workflow task: the new run collects the same task",
			input:    request,
			settings: keepsFacts,
			submit:   []submitCall{intending(accepts)},
			earlier:  []earlierCall{earlierPaid(ourTask)},
			drive: func(rec *recording) {
				callBackWhenWaiting(rec)
				rec.awaitRunEnd()
				rec.resetToFirst()
			},
		},
		{
			name: "later-run-adopts-a-task", runs: 2,
			about:    "a job is reset while its task renders: the new run waits for the same task",
			input:    request,
			settings: keepsFacts,
			submit:   []submitCall{intending(accepts)},
			earlier:  []earlierCall{earlierPaid(ourTask)},
			poll:     []pollCall{finishesWhenOpened, finishes(resultURL)},
			drive: func(rec *recording) {
				rec.awaitStage(workflows.StageWaiting, 1)
				rec.resetToFirst()
				rec.awaitStart("Poll")
				rec.sendSuccess(ourTask)
				close(rec.gate)
			},
		},
		{
			name: "later-run-with-several-tasks", runs: 2,
			about:    "the earlier runs paid twice: the first task is the job's, the second is collected by a job of its own",
			input:    request,
			settings: keepsFacts,
			submit:   []submitCall{accepts},
			earlier:  []earlierCall{earlierPaid(ourTask, "a1000000000000000000000000000000")},
			collects: []string{"a1000000000000000000000000000000"},
			drive: func(rec *recording) {
				rec.awaitStage(workflows.StageWaiting, 1)
				rec.resetToFirst()
				rec.awaitCollector("a1000000000000000000000000000000")
			},
		},
		{
			name: "later-run-finds-the-task-by-callback", runs: 2,
			about:    "a job is reset while its submission is unknown: the new run submits nothing, and the callback finds the task",
			input:    request,
			settings: keepsFacts,
			submit:   []submitCall{intending(losesAnswer(""))},
			earlier:  []earlierCall{began},
			identify: []identifyCall{identifies},
			drive: func(rec *recording) {
				rec.awaitStage(workflows.StageSubmitUnknown, 1)
				rec.resetToFirst()
				rec.awaitStage(workflows.StageSubmitUnknown, 1)
				rec.sendSuccess(ourTask)
			},
		},
		{
			name: "later-run-gets-late-evidence", runs: 2,
			about:    "a job is reset while its request is in flight: the outcome reaches the new run as evidence",
			input:    request,
			settings: keepsFacts,
			submit:   []submitCall{intending(acceptsWhenOpened)},
			earlier:  []earlierCall{began},
			drive: func(rec *recording) {
				rec.awaitIntent()
				rec.resetToLast()
				rec.awaitStage(workflows.StageSubmitUnknown, 1)
				rec.sendEvidence(activities.PhaseAccepted, ourTask)
				callBackWhenWaiting(rec)
				close(rec.gate)
			},
		},
		{
			name: "later-run-without-proof", runs: 2,
			about:    "a job whose submission is unknown has ended and is reset: no proof comes in the window of the new run either",
			input:    withShortWindow(""),
			settings: keepsFacts,
			submit:   []submitCall{losesAnswer("")},
			earlier:  []earlierCall{began},
			drive: func(rec *recording) {
				rec.awaitRunEnd()
				rec.resetToFirst()
			},
			result: workflows.SubmitUnknown,
		},
		{
			name: "later-run-submits", runs: 2,
			about:    "a job is reset while kie.ai holds it: the earlier run provably paid nothing, so the new run submits",
			input:    request,
			settings: keepsFacts,
			submit:   []submitCall{holds(402, "not enough credits"), staysHeld(time.Minute), intending(acceptsTask(ourTask))},
			earlier:  []earlierCall{paidNothing},
			drive: func(rec *recording) {
				rec.awaitRetry("Submit")
				rec.resetToFirst()
				callBackWhenWaiting(rec)
			},
		},
		{
			name: "later-run-that-can-not-read", runs: 2,
			about:    "the earlier runs can't be read: the new run submits nothing, and the window ends",
			input:    withShortWindow(""),
			settings: keepsFacts,
			submit:   []submitCall{accepts},
			earlier: []earlierCall{func(context.Context, *recording, struct{}) (activities.Earlier, error) {
				return activities.Earlier{}, nonRetryable("Odd", "the history can't be read")
			}},
			drive: func(rec *recording) {
				rec.awaitStage(workflows.StageWaiting, 1)
				rec.resetToFirst()
			},
			result: workflows.SubmitUnknown,
		},
		{
			name: "retried-run", runs: 2,
			about:    "a run timeout and a retry policy: the second run collects the task that the first one paid",
			input:    request,
			settings: keepsFacts,
			options: func(options *client.StartWorkflowOptions) {
				options.WorkflowRunTimeout = 5 * time.Second
				options.RetryPolicy = &temporal.RetryPolicy{InitialInterval: time.Second, MaximumAttempts: 2}
			},
			submit:  []submitCall{intending(accepts)},
			earlier: []earlierCall{earlierPaid(ourTask)},
			drive: func(rec *recording) {
				rec.awaitStage(workflows.StageWaiting, 1)
				rec.awaitRunEnd()
			},
		},
		{
			name: "reset-of-a-later-run", runs: 3,
			about:    "a later run that submitted is reset past its answer about the earlier ones: that answer permits the third run nothing",
			input:    request,
			settings: keepsFacts,
			submit:   []submitCall{holds(402, "not enough credits"), staysHeld(time.Minute), intending(acceptsWhenOpened)},
			earlier:  []earlierCall{paidNothing, earlierPaid(ourTask)},
			drive: func(rec *recording) {
				rec.awaitRetry("Submit")
				rec.resetToFirst()
				rec.awaitIntent()
				rec.resetBefore("Submit", 1)
				close(rec.gate)
			},
		},
	}
}
