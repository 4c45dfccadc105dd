package workflows_test

import (
	"context"
	"time"

	"lumaflow/activities"
	"lumaflow/workflows"
)

// timeoutScenarios are jobs whose worker dies during a submission: the attempt
// times out with its last evidence, or the evidence arrives late.
func timeoutScenarios() []scenario {
	return []scenario{
		{
			name:   "worker-died-before-sending",
			about:  "the worker dies twice without evidence: nothing was sent, so it is sent again",
			input:  request,
			submit: []submitCall{timesOutWith("", ""), timesOutWith("", ""), accepts},
			drive:  callBackWhenWaiting,
		},
		{
			name:   "worker-died-after-a-refusal",
			about:  "the evidence says that kie.ai refused, so it is sent again",
			input:  request,
			submit: []submitCall{timesOutWith(activities.PhaseRefused, ""), accepts},
			drive: func(rec *recording) {
				rec.awaitStage(workflows.StageWaiting, 2)
				rec.sendSuccess(ourTask)
			},
		},
		{
			name:   "worker-died-after-acceptance",
			about:  "the evidence names the accepted task, which is adopted",
			input:  request,
			submit: []submitCall{timesOutWith(activities.PhaseAccepted, ourTask)},
			drive:  callBackWhenWaiting,
		},
		{
			name:   "worker-died-while-sending-late-evidence-accepted",
			about:  "the evidence is that it was sending; the worker was cut off and later reports the task",
			input:  request,
			submit: []submitCall{timesOutWith(activities.PhaseSending, "")},
			drive: func(rec *recording) {
				rec.awaitStage(workflows.StageSubmitUnknown, 1)
				rec.sendEvidence(activities.PhaseAccepted, ourTask)
				callBackWhenWaiting(rec)
			},
		},
		{
			name:   "worker-died-while-sending-late-evidence-refused",
			about:  "the worker was cut off and later reports that nothing was created, so it is sent again",
			input:  request,
			submit: []submitCall{timesOutWith(activities.PhaseSending, ""), accepts},
			drive: func(rec *recording) {
				rec.awaitStage(workflows.StageSubmitUnknown, 1)
				rec.sendEvidence(activities.PhaseRefused, "")
				rec.awaitStage(workflows.StageWaiting, 2)
				rec.sendSuccess(ourTask)
			},
		},
		{
			name:     "worker-died-while-sending-found-by-callback",
			about:    "the worker is gone for good, and the callback finds the task",
			input:    request,
			submit:   []submitCall{timesOutWith(activities.PhaseSending, "")},
			identify: []identifyCall{identifies},
			drive: func(rec *recording) {
				rec.awaitStage(workflows.StageSubmitUnknown, 1)
				rec.sendSuccess(ourTask)
			},
		},
		{
			name:   "late-evidence-behind-that-of-others",
			about:  "the word that the submission was accepted comes together with one about an attempt that sent nothing",
			input:  withShortWindow(""),
			submit: []submitCall{losesAnswerAfterEvidence},
			drive:  callBackWhenWaiting,
		},
		{
			name:     "late-evidence-beside-the-callback",
			about:    "the callback is there when late evidence finds the task, and the job looks at once",
			input:    withShortWindow(""),
			submit:   []submitCall{losesAnswerAfterBothSignals},
			identify: []identifyCall{identifies},
		},
	}
}

// losesAnswerAfterBothSignals sends the callback and late evidence before the
// submission fails.
func losesAnswerAfterBothSignals(ctx context.Context, rec *recording, in activities.SubmitInput) (activities.Submitted, error) {
	sending := rec.evidence(in, activities.PhaseSending, "")
	rec.sendSuccess(ourTask)
	if err := workflows.EvidenceSignal.Send(ctx, rec.client, rec.scenario.name, withOutcome(sending, activities.PhaseAccepted, ourTask)); err != nil {
		rec.t.Errorf("send late evidence: %v", err)
	}
	return activities.Submitted{}, nonRetryable(activities.SubmitUnknown, "no usable answer: the connection broke after the request was written", sending)
}

// losesAnswerAfterEvidence sends late evidence about this attempt and about another
// before the submission fails, so that both are in one workflow task.
func losesAnswerAfterEvidence(ctx context.Context, rec *recording, in activities.SubmitInput) (activities.Submitted, error) {
	sending := rec.evidence(in, activities.PhaseSending, "")
	others := sending
	others.At = others.At.Add(-time.Hour)
	for _, evidence := range []activities.Evidence{withOutcome(others, activities.PhaseRefused, ""), withOutcome(sending, activities.PhaseAccepted, ourTask)} {
		if err := workflows.EvidenceSignal.Send(ctx, rec.client, rec.scenario.name, evidence); err != nil {
			rec.t.Errorf("send late evidence: %v", err)
		}
	}
	return activities.Submitted{}, nonRetryable(activities.SubmitUnknown, "no usable answer: the connection broke after the request was written", sending)
}
