package workflows_test

import (
	"github.com/stretchr/testify/require"

	"lumaflow/activities"
	"lumaflow/workflows"
)

// withShortWindow is a request with a recovery window of 2 s.
func withShortWindow(onUnknown string) workflows.ModifyVideoInput {
	input := request
	input.RecoveryWindow, input.OnUnknownSubmit = "2s", onUnknown
	return input
}

// lostScenarios are jobs whose paid request gets no usable answer.
func lostScenarios() []scenario {
	return []scenario{
		{
			name:     "lost-response-found-by-callback",
			about:    "no answer, but the callback on the job's own URL names the task and the record confirms it",
			input:    request,
			submit:   []submitCall{losesAnswer("")},
			identify: []identifyCall{identifies},
			drive: func(rec *recording) {
				rec.awaitStage(workflows.StageSubmitUnknown, 1)
				rec.sendSuccess(ourTask)
			},
		},
		{
			name:   "lost-response-window-ended",
			about:  "no answer and no proof in the recovery window; nothing is sent again",
			input:  withShortWindow(""),
			submit: []submitCall{losesAnswer("")},
			result: workflows.SubmitUnknown,
		},
		{
			name:     "lost-response-foreign-callback",
			about:    "the callback names a task that is not this job's, and the recovery window ends",
			input:    withShortWindow(""),
			submit:   []submitCall{losesAnswer("")},
			identify: []identifyCall{notIdentified(activities.ForeignTask, "the task was not submitted by this job")},
			drive: func(rec *recording) {
				rec.awaitStage(workflows.StageSubmitUnknown, 1)
				rec.sendSuccess(otherTask)
			},
			result: workflows.SubmitUnknown,
		},
		{
			name:     "lost-response-that-named-its-task",
			about:    "the answer was no clear acceptance but named a task, and the record says that it is the job's",
			input:    request,
			submit:   []submitCall{losesAnswer(ourTask)},
			identify: []identifyCall{identifies},
		},
		{
			name:     "operator-adopts",
			about:    "an operator found the task and has the job adopt it",
			input:    request,
			submit:   []submitCall{losesAnswer("")},
			identify: []identifyCall{identifies},
			drive: func(rec *recording) {
				rec.awaitStage(workflows.StageSubmitUnknown, 1)
				require.NoError(rec.t, rec.sendResolution(workflows.Resolution{Action: workflows.AdoptTask, TaskID: ourTask}))
			},
		},
		{
			name:   "operator-resubmits",
			about:  "an operator has the job submit again; the earlier submission stays named",
			input:  request,
			submit: []submitCall{losesAnswer(""), accepts},
			drive: func(rec *recording) {
				rec.awaitStage(workflows.StageSubmitUnknown, 1)
				require.NoError(rec.t, rec.sendResolution(workflows.Resolution{Action: workflows.Resubmit}))
				rec.awaitStage(workflows.StageWaiting, 2)
				rec.sendSuccess(ourTask)
			},
		},
		{
			name:     "operator-writes-off",
			about:    "an operator names a task that kie.ai does not know, and then writes the submission off",
			input:    request,
			submit:   []submitCall{losesAnswer("")},
			identify: []identifyCall{notIdentified(activities.UnknownTask, "kie.ai has no record of task "+otherTask)},
			drive: func(rec *recording) {
				rec.awaitStage(workflows.StageSubmitUnknown, 1)
				require.ErrorContains(rec.t, rec.sendResolution(workflows.Resolution{Action: workflows.AdoptTask, TaskID: otherTask}), "not adopted")
				// The job may end before the update completes.
				_ = rec.sendResolution(workflows.Resolution{Action: workflows.WriteOff})
			},
			result: workflows.SubmitUnknown,
		},
		{
			name:   "resubmitted-by-input",
			about:  "the input says to submit again when the recovery window ends without proof",
			input:  withShortWindow("resubmit"),
			submit: []submitCall{losesAnswer(""), accepts},
			drive: func(rec *recording) {
				rec.awaitStage(workflows.StageWaiting, 2)
				rec.sendSuccess(ourTask)
			},
		},
	}
}
