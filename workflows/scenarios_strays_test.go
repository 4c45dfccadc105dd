package workflows_test

import (
	"context"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"lumaflow/activities"
	"lumaflow/internal/paid/runs"
	"lumaflow/workflows"
)

// awaitCollector waits until the job that collects a task has ended.
func (rec *recording) awaitCollector(taskID string) {
	rec.t.Helper()
	rec.eventually("the job that collects "+taskID+" has started", func() bool {
		_, err := rec.client.DescribeWorkflow(rec.ctx, runs.CollectorID(taskID), "")
		return err == nil
	})
	require.NoError(rec.t, rec.client.GetWorkflow(rec.ctx, runs.CollectorID(taskID), "").Get(rec.ctx, nil))
}

// strayScenarios are jobs whose callbacks name other tasks.
func strayScenarios() []scenario {
	return []scenario{
		{
			name:     "strays-while-waiting",
			about:    "callbacks name another task of the job, a task of another job and one whose record proves nothing: the first is collected, the last is named",
			input:    request,
			settings: keepsFacts,
			confirm:  []confirmCall{confirmsNothing},
			submit:   []submitCall{intending(accepts)},
			identify: []identifyCall{identifiesAs("b1"), identifiesAs("b1"), identifiesAs("b1")},
			poll:     []pollCall{finishesWhenOpened},
			collects: []string{strayTask("b1")},
			drive: func(rec *recording) {
				rec.awaitStage(workflows.StageWaiting, 1)
				for _, name := range []string{"b1", "b2", "b3"} {
					rec.sendSuccess(strayTask(name))
				}
				rec.sendSuccess(strayTask("b1"))
				rec.sendSuccess(ourTask)
				rec.awaitStart("Poll")
				close(rec.gate)
				rec.awaitCollector(strayTask("b1"))
			},
		},
		{
			name:     "strays-that-are-collected-already",
			about:    "a callback names another task of the job, which a job of its own has collected before",
			input:    request,
			settings: keepsFacts,
			submit:   []submitCall{intending(accepts)},
			identify: []identifyCall{identifiesAs("b4")},
			collects: []string{strayTask("b4")},
			drive: func(rec *recording) {
				_, err := rec.client.ExecuteWorkflow(rec.ctx, client.StartWorkflowOptions{
					ID: runs.CollectorID(strayTask("b4")), TaskQueue: workflows.DefaultTaskQueue,
				}, workflows.ModifyVideoName, workflows.ModifyVideoInput{TaskID: strayTask("b4")})
				require.NoError(rec.t, err)
				rec.awaitCollector(strayTask("b4"))
				rec.awaitStage(workflows.StageWaiting, 1)
				rec.sendSuccess(strayTask("b4"))
				rec.sendSuccess(ourTask)
				rec.awaitRunEnd()
				require.Contains(rec.t, rec.status().Detail, "collects its task "+strayTask("b4"))
			},
		},
		{
			name:     "strays-of-a-failed-job",
			about:    "kie.ai could not make the job's video, but another task of the job is collected",
			input:    request,
			settings: keepsFacts,
			confirm:  []confirmCall{confirmsNothing},
			submit:   []submitCall{intending(accepts)},
			identify: []identifyCall{identifiesAs("c1")},
			poll:     []pollCall{pollFails(activities.GenerationFailed, "kie.ai could not make the video (code 400): moderated")},
			collects: []string{strayTask("c1")},
			drive: func(rec *recording) {
				rec.awaitStage(workflows.StageWaiting, 1)
				rec.sendSuccess(strayTask("c1"))
				rec.sendSuccess(ourTask)
				rec.awaitCollector(strayTask("c1"))
			},
			result: workflows.GenerationFailed,
		},
		{
			name:     "strays-of-a-cancelled-job",
			about:    "a job is cancelled, so that another task of it is named and not collected",
			input:    request,
			settings: keepsFacts,
			submit:   []submitCall{intending(accepts)},
			identify: []identifyCall{identifiesAs("d1")},
			drive: func(rec *recording) {
				rec.awaitStage(workflows.StageWaiting, 1)
				rec.sendSuccess(strayTask("d1"))
				rec.eventually("the record is read", func() bool { return rec.countOf("Identify") == 1 })
				rec.awaitStage(workflows.StageWaiting, 1)
				rec.cancel()
			},
			result: canceled,
		},
		{
			name:     "strays-beside-the-found-task",
			about:    "two callbacks come while the submission is unknown: both tasks are the job's, the second is collected by a job of its own",
			input:    request,
			settings: keepsFacts,
			submit:   []submitCall{intending(losesAnswerAfterTwoCallbacks)},
			identify: []identifyCall{identifiesOursFirst, identifiesOursFirst, identifiesAs("e1")},
			collects: []string{strayTask("e1")},
			drive: func(rec *recording) {
				rec.awaitCollector(strayTask("e1"))
				close(rec.gate)
			},
		},
		{
			name:     "late-evidence-of-a-second-payment",
			about:    "an operator has the job submit again, both are accepted, and late evidence proves the first: its task is collected by a job of its own",
			input:    request,
			settings: keepsFacts,
			confirm:  []confirmCall{confirmsNothing},
			submit:   []submitCall{intending(losesAnswer("")), intending(accepts)},
			poll:     []pollCall{finishesWhenOpened},
			collects: []string{strayTask("f1")},
			drive: func(rec *recording) {
				rec.awaitStage(workflows.StageSubmitUnknown, 1)
				require.NoError(rec.t, rec.sendResolution(workflows.Resolution{Action: workflows.Resubmit}))
				rec.awaitStage(workflows.StageWaiting, 2)
				rec.sendSuccess(ourTask)
				rec.awaitStart("Poll")
				rec.sendEvidence(activities.PhaseAccepted, strayTask("f1"))
				close(rec.gate)
				rec.awaitCollector(strayTask("f1"))
			},
		},
	}
}

// strayTask is a task id that only one scenario has: all recordings share the jobs
// that collect tasks.
func strayTask(name string) string { return name + "000000000000000000000000000000" }

// identifiesAs answers by the task: that of ourTask or of the name is the job's, one
// that ends with 2 is another job's, and any other proves nothing.
func identifiesAs(name string) identifyCall {
	return func(ctx context.Context, rec *recording, in activities.IdentifyInput) (activities.Identified, error) {
		switch {
		case in.TaskID == ourTask, in.TaskID == strayTask(name):
			return identifies(ctx, rec, in)
		case in.TaskID[1] == '2':
			return activities.Identified{}, nonRetryable(activities.ForeignTask, "the task was not submitted by this job")
		default:
			return activities.Identified{}, nonRetryable(activities.UnprovenTask, "the record names no callback URL and no request")
		}
	}
}

// identifiesOursFirst confirms ourTask, and any other task when drive closes the
// gate.
func identifiesOursFirst(ctx context.Context, rec *recording, in activities.IdentifyInput) (activities.Identified, error) {
	if in.TaskID != ourTask {
		<-rec.gate
	}
	return identifies(ctx, rec, in)
}

// countOf is the number of calls of an activity.
func (rec *recording) countOf(name string) int {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return rec.calls[name]
}

// losesAnswerAfterTwoCallbacks sends the callbacks of two tasks before the
// submission fails.
func losesAnswerAfterTwoCallbacks(ctx context.Context, rec *recording, in activities.SubmitInput) (activities.Submitted, error) {
	rec.sendSuccess(ourTask)
	rec.sendSuccess(strayTask("e1"))
	return losesAnswer("")(ctx, rec, in)
}
