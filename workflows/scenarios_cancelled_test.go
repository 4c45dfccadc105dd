package workflows_test

import (
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"lumaflow/workflows"
)

// cancelScenarios are jobs that end by a cancel.
func cancelScenarios() []scenario {
	stop := func(stage workflows.Stage) func(*recording) {
		return func(rec *recording) {
			rec.awaitStage(stage, 1)
			rec.cancel()
		}
	}
	return []scenario{
		{
			name:   "cancelled-while-submitting",
			about:  "the job is cancelled while the request is under way; it waits for the answer and names the task",
			input:  request,
			submit: []submitCall{acceptsWhenOpened},
			drive: func(rec *recording) {
				rec.awaitStart("Submit")
				rec.cancel()
				rec.awaitEvent(enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED)
				close(rec.gate)
			},
			result: canceled,
		},
		{
			name:   "cancelled-while-held",
			about:  "the job is cancelled while kie.ai holds it; nothing is paid",
			input:  request,
			submit: []submitCall{holds(402, "not enough credits"), staysHeld(time.Minute)},
			drive: func(rec *recording) {
				rec.awaitRetry("Submit")
				rec.cancel()
			},
			result: canceled,
		},
		{
			name:   "cancelled-while-lost",
			about:  "the job is cancelled while it looks for proof of a lost submission",
			input:  request,
			submit: []submitCall{losesAnswer("")},
			drive:  stop(workflows.StageSubmitUnknown),
			result: canceled,
		},
		{
			name:   "cancelled-while-waiting",
			about:  "the job is cancelled while kie.ai works; the task is named, for it is paid",
			input:  request,
			drive:  stop(workflows.StageWaiting),
			result: canceled,
		},
		{
			name:     "cancelled-while-polling",
			about:    "the job is cancelled between two polls",
			input:    request,
			settings: pollOnly,
			poll:     []pollCall{pending(time.Minute)},
			drive: func(rec *recording) {
				rec.awaitRetry("Poll")
				rec.cancel()
			},
			result: canceled,
		},
		{
			name:     "cancelled-while-downloading",
			about:    "the job is cancelled while a video is downloaded",
			input:    request,
			settings: pollOnly,
			download: []downloadCall{runsUntilCancelled},
			drive: func(rec *recording) {
				rec.awaitStart("Download")
				rec.cancel()
			},
			result: canceled,
		},
	}
}
