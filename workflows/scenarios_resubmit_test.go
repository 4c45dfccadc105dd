package workflows_test

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"lumaflow/activities"
	"lumaflow/workflows"
)

// resubmittedIntoAHold is an operator's word to pay again, which kie.ai holds.
func resubmittedIntoAHold(t *take) {
	t.reaches(workflows.StageSubmitUnknown, 1)
	require.NoError(t.t, t.resolves(workflows.Resolution{Action: workflows.Resubmit}))
	t.retries("Submit")
}

// againScenarios are jobs that find an earlier submission after they were told
// to pay again.
func againScenarios() []scenario {
	return []scenario{
		{
			name:     "late-callback-saves-a-payment",
			about:    "the callback of the lost submission comes while the second is held, which is then not sent",
			input:    request,
			submit:   []submitAct{loses(""), holdsOn(time.Minute)},
			identify: []identifyAct{knows},
			drive: func(t *take) {
				resubmittedIntoAHold(t)
				t.callback(ourTask)
			},
		},
		{
			name:     "foreign-callback-does-not-stop-a-resubmission",
			about:    "a callback for a task of another job interrupts the held resubmission, which then goes on",
			input:    request,
			submit:   []submitAct{loses(""), holdsOn(time.Minute), accepts(ourTask)},
			identify: []identifyAct{knowsNot(activities.ForeignTask, "the task was not submitted by this job")},
			drive: func(t *take) {
				resubmittedIntoAHold(t)
				t.callback(otherTask)
				t.reaches(workflows.StageWaiting, 2)
				t.callback(ourTask)
			},
		},
		{
			name:   "late-evidence-saves-a-payment",
			about:  "the worker of the lost submission tells its task while the second is held, which is then not sent",
			input:  request,
			submit: []submitAct{loses(""), holdsOn(time.Minute)},
			drive: func(t *take) {
				resubmittedIntoAHold(t)
				t.tells(0, activities.PhaseAccepted, ourTask)
				called(t)
			},
		},
		{
			name:   "late-evidence-when-both-are-lost",
			about:  "two submissions are lost; the worker of the first tells its task, and the second stays named",
			input:  request,
			submit: []submitAct{loses(""), loses("")},
			drive: func(t *take) {
				t.reaches(workflows.StageSubmitUnknown, 1)
				require.NoError(t.t, t.resolves(workflows.Resolution{Action: workflows.Resubmit}))
				t.reaches(workflows.StageSubmitUnknown, 2)
				t.tells(0, activities.PhaseAccepted, ourTask)
				called(t)
			},
		},
		{
			name:   "evidence-while-it-submits-again",
			about:  "the word that the second submission was accepted is there before its answer is lost",
			input:  request,
			submit: []submitAct{loses(""), losesWhenInterrupted},
			drive: func(t *take) {
				t.reaches(workflows.StageSubmitUnknown, 1)
				require.NoError(t.t, t.resolves(workflows.Resolution{Action: workflows.Resubmit}))
				called(t)
			},
		},
	}
}

// losesWhenInterrupted tells of its own task, which interrupts it, and then loses
// the answer.
func losesWhenInterrupted(_ context.Context, t *take, in activities.SubmitInput) (activities.Submitted, error) {
	sending := t.evidence(in, activities.PhaseSending, "")
	if err := workflows.EvidenceSignal.Send(t.ctx, t.client, t.scenario.name, told(sending, activities.PhaseAccepted, ourTask)); err != nil {
		t.t.Errorf("tell early: %v", err)
	}
	t.records(enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED)
	return activities.Submitted{}, fails(activities.SubmitUnknown, "no usable answer: the connection broke after the request was written", sending)
}
