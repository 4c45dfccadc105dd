package workflows_test

import (
	"github.com/stretchr/testify/require"

	"lumaflow/activities"
	"lumaflow/workflows"
)

// briefly is a request whose recovery window is short.
func briefly(onUnknown string) workflows.ModifyVideoInput {
	input := request
	input.RecoveryWindow, input.OnUnknownSubmit = "2s", onUnknown
	return input
}

// lostScenarios are jobs that don't get an answer to the paid request.
func lostScenarios() []scenario {
	return []scenario{
		{
			name:     "lost-response-found-by-callback",
			about:    "no answer, but the callback on the job's own URL names the task and the record confirms it",
			input:    request,
			submit:   []submitAct{loses("")},
			identify: []identifyAct{knows},
			drive: func(t *take) {
				t.reaches(workflows.StageSubmitUnknown, 1)
				t.callback(ourTask)
			},
		},
		{
			name:   "lost-response-window-ended",
			about:  "no answer and no proof in the recovery window; nothing is sent again",
			input:  briefly(""),
			submit: []submitAct{loses("")},
			ends:   workflows.SubmitUnknown,
		},
		{
			name:     "lost-response-foreign-callback",
			about:    "the callback names a task that is not this job's, and the recovery window ends",
			input:    briefly(""),
			submit:   []submitAct{loses("")},
			identify: []identifyAct{knowsNot(activities.ForeignTask, "the task was not submitted by this job")},
			drive: func(t *take) {
				t.reaches(workflows.StageSubmitUnknown, 1)
				t.callback(otherTask)
			},
			ends: workflows.SubmitUnknown,
		},
		{
			name:     "lost-response-that-named-its-task",
			about:    "the answer was no clear acceptance but named a task, and the record says that it is the job's",
			input:    request,
			submit:   []submitAct{loses(ourTask)},
			identify: []identifyAct{knows},
		},
		{
			name:     "operator-adopts",
			about:    "an operator found the task and has the job adopt it",
			input:    request,
			submit:   []submitAct{loses("")},
			identify: []identifyAct{knows},
			drive: func(t *take) {
				t.reaches(workflows.StageSubmitUnknown, 1)
				require.NoError(t.t, t.resolves(workflows.Resolution{Action: workflows.AdoptTask, TaskID: ourTask}))
			},
		},
		{
			name:   "operator-resubmits",
			about:  "an operator has the job submit again; the earlier submission stays named",
			input:  request,
			submit: []submitAct{loses(""), accepts(ourTask)},
			drive: func(t *take) {
				t.reaches(workflows.StageSubmitUnknown, 1)
				require.NoError(t.t, t.resolves(workflows.Resolution{Action: workflows.Resubmit}))
				t.reaches(workflows.StageWaiting, 2)
				t.callback(ourTask)
			},
		},
		{
			name:     "operator-writes-off",
			about:    "an operator names a task that kie.ai does not know, and then writes the submission off",
			input:    request,
			submit:   []submitAct{loses("")},
			identify: []identifyAct{knowsNot(activities.UnknownTask, "kie.ai has no record of task "+otherTask)},
			drive: func(t *take) {
				t.reaches(workflows.StageSubmitUnknown, 1)
				require.ErrorContains(t.t, t.resolves(workflows.Resolution{Action: workflows.AdoptTask, TaskID: otherTask}), "not adopted")
				// The job may end before it has answered.
				_ = t.resolves(workflows.Resolution{Action: workflows.WriteOff})
			},
			ends: workflows.SubmitUnknown,
		},
		{
			name:   "resubmitted-by-input",
			about:  "the input says to submit again when the recovery window ends without proof",
			input:  briefly("resubmit"),
			submit: []submitAct{loses(""), accepts(ourTask)},
			drive: func(t *take) {
				t.reaches(workflows.StageWaiting, 2)
				t.callback(ourTask)
			},
		},
	}
}
