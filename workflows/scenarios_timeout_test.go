package workflows_test

import (
	"context"
	"time"

	"lumaflow/activities"
	"lumaflow/workflows"
)

// deathScenarios are jobs whose worker dies while it submits: the attempt times
// out and brings its last evidence.
func deathScenarios() []scenario {
	return []scenario{
		{
			name:   "worker-died-before-sending",
			about:  "the worker dies twice without evidence: nothing was sent, so it is sent again",
			input:  request,
			submit: []submitAct{perishes("", ""), perishes("", ""), accepts(ourTask)},
			drive:  called,
		},
		{
			name:   "worker-died-after-a-refusal",
			about:  "the evidence says that kie.ai refused, so it is sent again",
			input:  request,
			submit: []submitAct{perishes(activities.PhaseRefused, ""), accepts(ourTask)},
			drive: func(t *take) {
				t.reaches(workflows.StageWaiting, 2)
				t.callback(ourTask)
			},
		},
		{
			name:   "worker-died-after-acceptance",
			about:  "the evidence names the accepted task, which is adopted",
			input:  request,
			submit: []submitAct{perishes(activities.PhaseAccepted, ourTask)},
			drive:  called,
		},
		{
			name:   "worker-died-while-sending-told-accepted",
			about:  "the evidence says only that it was sending; the worker was cut off and later tells the task itself",
			input:  request,
			submit: []submitAct{perishes(activities.PhaseSending, "")},
			drive: func(t *take) {
				t.reaches(workflows.StageSubmitUnknown, 1)
				t.tells(0, activities.PhaseAccepted, ourTask)
				called(t)
			},
		},
		{
			name:   "worker-died-while-sending-told-refused",
			about:  "the worker was cut off and later tells that nothing was created, so it is sent again",
			input:  request,
			submit: []submitAct{perishes(activities.PhaseSending, ""), accepts(ourTask)},
			drive: func(t *take) {
				t.reaches(workflows.StageSubmitUnknown, 1)
				t.tells(0, activities.PhaseRefused, "")
				t.reaches(workflows.StageWaiting, 2)
				t.callback(ourTask)
			},
		},
		{
			name:     "worker-died-while-sending-found-by-callback",
			about:    "the worker is gone for good, and the callback finds the task",
			input:    request,
			submit:   []submitAct{perishes(activities.PhaseSending, "")},
			identify: []identifyAct{knows},
			drive: func(t *take) {
				t.reaches(workflows.StageSubmitUnknown, 1)
				t.callback(ourTask)
			},
		},
		{
			name:   "late-evidence-behind-that-of-others",
			about:  "the word that the submission was accepted comes together with one about an attempt that sent nothing",
			input:  briefly(""),
			submit: []submitAct{losesAfterTelling},
			drive:  called,
		},
		{
			name:     "late-evidence-beside-the-callback",
			about:    "the callback is there when late evidence finds the task, and the job looks at once",
			input:    briefly(""),
			submit:   []submitAct{losesAfterBoth},
			identify: []identifyAct{knows},
		},
	}
}

// losesAfterBoth has the callback and late evidence in the history before the job
// learns that its submission is lost.
func losesAfterBoth(_ context.Context, t *take, in activities.SubmitInput) (activities.Submitted, error) {
	sending := t.evidence(in, activities.PhaseSending, "")
	t.callback(ourTask)
	if err := workflows.EvidenceSignal.Send(t.ctx, t.client, t.scenario.name, told(sending, activities.PhaseAccepted, ourTask)); err != nil {
		t.t.Errorf("tell late: %v", err)
	}
	return activities.Submitted{}, fails(activities.SubmitUnknown, "no usable answer: the connection broke after the request was written", sending)
}

// losesAfterTelling has late evidence in the history before the job learns that
// its submission is lost, so that it finds both words at once.
func losesAfterTelling(_ context.Context, t *take, in activities.SubmitInput) (activities.Submitted, error) {
	sending := t.evidence(in, activities.PhaseSending, "")
	others := sending
	others.At = others.At.Add(-time.Hour)
	for _, evidence := range []activities.Evidence{told(others, activities.PhaseRefused, ""), told(sending, activities.PhaseAccepted, ourTask)} {
		if err := workflows.EvidenceSignal.Send(t.ctx, t.client, t.scenario.name, evidence); err != nil {
			t.t.Errorf("tell late: %v", err)
		}
	}
	return activities.Submitted{}, fails(activities.SubmitUnknown, "no usable answer: the connection broke after the request was written", sending)
}
