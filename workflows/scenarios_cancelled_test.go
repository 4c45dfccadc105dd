package workflows_test

import (
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"lumaflow/workflows"
)

// cancelScenarios are jobs that are cancelled.
func cancelScenarios() []scenario {
	stop := func(stage workflows.Stage) func(*take) {
		return func(t *take) {
			t.reaches(stage, 1)
			t.cancel()
		}
	}
	return []scenario{
		{
			name:   "cancelled-while-submitting",
			about:  "the job is cancelled while the request is under way; it waits for the answer and names the task",
			input:  request,
			submit: []submitAct{acceptsWhenOpened},
			drive: func(t *take) {
				t.runs("Submit")
				t.cancel()
				t.records(enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED)
				close(t.gate)
			},
			ends: canceled,
		},
		{
			name:   "cancelled-while-held",
			about:  "the job is cancelled while kie.ai holds it; nothing is paid",
			input:  request,
			submit: []submitAct{holds(402, "not enough credits"), holdsOn(time.Minute)},
			drive: func(t *take) {
				t.retries("Submit")
				t.cancel()
			},
			ends: canceled,
		},
		{
			name:   "cancelled-while-lost",
			about:  "the job is cancelled while it looks for proof of a lost submission",
			input:  request,
			submit: []submitAct{loses("")},
			drive:  stop(workflows.StageSubmitUnknown),
			ends:   canceled,
		},
		{
			name:  "cancelled-while-waiting",
			about: "the job is cancelled while kie.ai works; the task is named, for it is paid",
			input: request,
			drive: stop(workflows.StageWaiting),
			ends:  canceled,
		},
		{
			name:     "cancelled-while-polling",
			about:    "the job is cancelled between two polls",
			input:    request,
			settings: pollOnly,
			poll:     []pollAct{pending(time.Minute)},
			drive: func(t *take) {
				t.retries("Poll")
				t.cancel()
			},
			ends: canceled,
		},
		{
			name:     "cancelled-while-downloading",
			about:    "the job is cancelled while a video is downloaded",
			input:    request,
			settings: pollOnly,
			download: []downloadAct{interrupted},
			drive: func(t *take) {
				t.runs("Download")
				t.cancel()
			},
			ends: canceled,
		},
	}
}
