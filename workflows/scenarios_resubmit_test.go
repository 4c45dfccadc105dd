package workflows_test

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"lumaflow/activities"
	"lumaflow/workflows"
)

// resubmitIntoHold sends an operator's decision to resubmit and waits until kie.ai
// holds the second submission.
func resubmitIntoHold(rec *recording) {
	rec.awaitStage(workflows.StageSubmitUnknown, 1)
	require.NoError(rec.t, rec.sendResolution(workflows.Resolution{Action: workflows.Resubmit}))
	rec.awaitRetry("Submit")
}

// resubmitScenarios are jobs that find the task of an earlier submission after an
// operator decided to resubmit.
func resubmitScenarios() []scenario {
	return []scenario{
		{
			name:     "late-callback-saves-a-payment",
			about:    "the callback of the lost submission comes while the second is held, which is then not sent",
			input:    request,
			submit:   []submitCall{losesAnswer(""), staysHeld(time.Minute)},
			identify: []identifyCall{identifies},
			drive: func(rec *recording) {
				resubmitIntoHold(rec)
				rec.sendSuccess(ourTask)
			},
		},
		{
			name:     "foreign-callback-does-not-stop-a-resubmission",
			about:    "a callback for a task of another job interrupts the held resubmission, which then continues",
			input:    request,
			submit:   []submitCall{losesAnswer(""), staysHeld(time.Minute), accepts},
			identify: []identifyCall{notIdentified(activities.ForeignTask, "the task was not submitted by this job")},
			drive: func(rec *recording) {
				resubmitIntoHold(rec)
				rec.sendSuccess(otherTask)
				rec.awaitStage(workflows.StageWaiting, 2)
				rec.sendSuccess(ourTask)
			},
		},
		{
			name:   "late-evidence-saves-a-payment",
			about:  "the worker of the lost submission reports its task while the second is held, which is then not sent",
			input:  request,
			submit: []submitCall{losesAnswer(""), staysHeld(time.Minute)},
			drive: func(rec *recording) {
				resubmitIntoHold(rec)
				rec.sendEvidence(activities.PhaseAccepted, ourTask)
				callBackWhenWaiting(rec)
			},
		},
		{
			name:   "late-evidence-when-both-are-lost",
			about:  "two submissions are lost; the worker of the first reports its task, and the second stays named",
			input:  request,
			submit: []submitCall{losesAnswer(""), losesAnswer("")},
			drive: func(rec *recording) {
				rec.awaitStage(workflows.StageSubmitUnknown, 1)
				require.NoError(rec.t, rec.sendResolution(workflows.Resolution{Action: workflows.Resubmit}))
				rec.awaitStage(workflows.StageSubmitUnknown, 2)
				rec.sendEvidence(activities.PhaseAccepted, ourTask)
				callBackWhenWaiting(rec)
			},
		},
		{
			name:   "evidence-while-it-submits-again",
			about:  "the word that the second submission was accepted is there before its answer is lost",
			input:  request,
			submit: []submitCall{losesAnswer(""), losesAnswerWhenInterrupted},
			drive: func(rec *recording) {
				rec.awaitStage(workflows.StageSubmitUnknown, 1)
				require.NoError(rec.t, rec.sendResolution(workflows.Resolution{Action: workflows.Resubmit}))
				callBackWhenWaiting(rec)
			},
		},
	}
}

// losesAnswerWhenInterrupted sends evidence about its own task, which cancels the
// attempt, and then loses the answer.
func losesAnswerWhenInterrupted(ctx context.Context, rec *recording, in activities.SubmitInput) (activities.Submitted, error) {
	sending := rec.evidence(in, activities.PhaseSending, "")
	if err := workflows.EvidenceSignal.Send(ctx, rec.client, rec.scenario.name, withOutcome(sending, activities.PhaseAccepted, ourTask)); err != nil {
		rec.t.Errorf("send early evidence: %v", err)
	}
	rec.awaitEvent(enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED)
	return activities.Submitted{}, nonRetryable(activities.SubmitUnknown, "no usable answer: the connection broke after the request was written", sending)
}
