package workflows_test

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"

	"lumaflow/activities"
	"lumaflow/workflows"
)

// keepsFacts are the settings of a worker whose jobs keep their payments in the
// memo.
var (
	keepsFacts  = &activities.Settings{Callbacks: true, PollAfter: 10 * time.Minute, Facts: true}
	setsAndKept = &activities.Settings{Callbacks: true, PollAfter: 10 * time.Minute, Facts: true, SearchAttributes: true}
)

// intends declares the intent to send and records the evidence, as Submit does
// before the first byte.
func (rec *recording) intends(ctx context.Context, in activities.SubmitInput) {
	evidence := rec.evidence(in, activities.PhaseSending, "")
	evidence.Intent = rec.scenario.name
	info := activity.GetInfo(ctx)
	if err := rec.client.RecordActivityHeartbeat(ctx, info.TaskToken, evidence); err != nil {
		rec.t.Errorf("record evidence: %v", err)
	}
	if err := rec.client.SignalWorkflow(ctx, rec.scenario.name, info.WorkflowExecution.RunID, workflows.IntentSignal.Name, evidence); err != nil {
		rec.t.Errorf("declare the intent: %v", err)
	}
}

// intending is a submission that declares its intent first.
func intending(call submitCall) submitCall {
	return func(ctx context.Context, rec *recording, in activities.SubmitInput) (activities.Submitted, error) {
		rec.intends(ctx, in)
		return call(ctx, rec, in)
	}
}

// acceptsTask is a submission that creates a task.
func acceptsTask(taskID string) submitCall {
	return func(_ context.Context, rec *recording, in activities.SubmitInput) (activities.Submitted, error) {
		return rec.evidence(in, activities.PhaseAccepted, taskID).Submitted(), nil
	}
}

// diesAfterIntent is a worker that dies after it declared its intent.
func diesAfterIntent(ctx context.Context, rec *recording, in activities.SubmitInput) (activities.Submitted, error) {
	rec.intends(ctx, in)
	return activities.Submitted{}, activity.ErrResultPending
}

// intentScenarios are jobs whose submissions declare their intent, and which keep
// their payments in the memo.
func intentScenarios() []scenario {
	return []scenario{
		{
			name:     intendedPath,
			about:    "the submission declares its intent and is accepted; the memo has the intent and then the task",
			input:    request,
			settings: keepsFacts,
			submit:   []submitCall{intending(accepts)},
			drive:    callBackWhenWaiting,
		},
		{
			name:     "intent-then-held",
			about:    "the first request is held, so that the memo no longer has an intent, and the second is accepted",
			input:    request,
			settings: keepsFacts,
			confirm:  []confirmCall{confirmsNothing},
			submit:   []submitCall{intending(holds(402, "not enough credits")), intending(accepts)},
			drive:    callBackWhenWaiting,
		},
		{
			name:     "intent-then-refused",
			about:    "kie.ai refuses the submission that had declared its intent",
			input:    request,
			settings: keepsFacts,
			submit:   []submitCall{intending(refuses)},
			result:   workflows.SubmitRefused,
		},
		{
			name:     "intent-stands-when-evidence-is-reset",
			about:    "the worker dies after its intent and an operator resets its heartbeats: the intent still stands, and the callback finds the task",
			input:    request,
			settings: keepsFacts,
			submit:   []submitCall{diesAfterIntent, timesOutWith("", "")},
			identify: []identifyCall{identifies},
			drive: func(rec *recording) {
				rec.awaitIntent()
				rec.resetEvidence()
				rec.awaitStage(workflows.StageSubmitUnknown, 1)
				rec.sendSuccess(ourTask)
			},
		},
		{
			name:     "intent-of-a-dead-worker",
			about:    "the worker dies after its intent, and its evidence says that it was sending: the window ends without proof",
			input:    withShortWindow(""),
			settings: keepsFacts,
			submit:   []submitCall{diesAfterIntent},
			result:   workflows.SubmitUnknown,
		},
		{
			name:     "adopted-with-memo",
			about:    "the input names a task: the memo has it before it is collected",
			input:    workflows.ModifyVideoInput{TaskID: ourTask},
			settings: keepsFacts,
			identify: []identifyCall{identifies},
		},
		{
			name:     "search-attributes-vanish",
			about:    "the namespace loses lumaflow's search attributes while the job waits",
			input:    request,
			settings: setsAndKept,
			options:  func(options *client.StartWorkflowOptions) { options.TaskQueue = vanishingQueue },
			drive: func(rec *recording) {
				rec.awaitStage(workflows.StageWaiting, 1)
				rec.attributes.Store(false)
				rec.sendSuccess(ourTask)
			},
		},
		{
			name:   "unknown-field-refused",
			about:  "the input has a field that no input has: it is refused before anything is sent",
			input:  map[string]any{"prompt": request.Prompt, "videoUrl": request.VideoURL, "video_url": "https://cdn.example.org/other.mp4"},
			result: workflows.InvalidRequest,
		},
		{
			name:    "cron-refused",
			about:   "a start with a cron schedule is refused at its first firing, before anything is sent",
			input:   request,
			options: func(options *client.StartWorkflowOptions) { options.CronSchedule = "@every 1s" },
			runs:    1,
			drive: func(rec *recording) {
				rec.awaitRunEnd()
				rec.terminate()
			},
			result: terminated,
		},
	}
}

const intendedPath = "intent-then-accepted"

// awaitIntent waits until the run has processed an intent.
func (rec *recording) awaitIntent() {
	rec.t.Helper()
	rec.eventually("the memo has the intent", func() bool {
		job, err := rec.client.DescribeWorkflow(rec.ctx, rec.scenario.name, "")
		return err == nil && job.RawResponse.GetPendingWorkflowTask() == nil && job.RawResponse.GetWorkflowExecutionInfo().GetMemo().GetFields()["lumaTask"] != nil
	})
}
