package workflows_test

import (
	"strings"
	"time"

	"lumaflow/activities"
	"lumaflow/workflows"
)

// uploaded is a request whose video kie.ai deletes after an hour.
func uploaded() workflows.ModifyVideoInput {
	input := request
	input.VideoSHA256 = strings.Repeat("0a", 32)
	input.VideoExpires = time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	return input
}

// failureScenarios are jobs that end without a video.
func failureScenarios() []scenario {
	return []scenario{
		{
			name:   "invalid-request",
			about:  "the input is refused before anything is sent",
			input:  workflows.ModifyVideoInput{Prompt: "  ", VideoURL: request.VideoURL},
			result: workflows.InvalidRequest,
		},
		{
			name:   "malformed-request",
			about:  "the input is not even of the right shape",
			input:  map[string]any{"prompt": 7},
			result: workflows.InvalidRequest,
		},
		{
			name:     "unknown-task",
			about:    "the input names a task that kie.ai does not know",
			input:    workflows.ModifyVideoInput{TaskID: otherTask},
			identify: []identifyCall{notIdentified(activities.UnknownTask, "kie.ai has no record of task "+otherTask)},
			result:   workflows.InvalidRequest,
		},
		{
			name:   "refused",
			about:  "kie.ai refuses the submission for good; nothing is charged",
			input:  request,
			submit: []submitCall{refuses},
			result: workflows.SubmitRefused,
		},
		{
			name:   "uploaded-video-expired",
			about:  "kie.ai holds the job until the uploaded video is about to be deleted; nothing is charged",
			input:  uploaded(),
			submit: []submitCall{holds(402, "not enough credits"), expires},
			result: workflows.SubmitRefused,
		},
		{
			name:   "generation-failed",
			about:  "kie.ai accepted the task but could not make the video",
			input:  request,
			poll:   []pollCall{pollFails(activities.GenerationFailed, "kie.ai could not make the video (code 400): moderated")},
			drive:  callBackWhenWaiting,
			result: workflows.GenerationFailed,
		},
		{
			name:     "result-overdue",
			about:    "the deadline passes before kie.ai has a result",
			input:    request,
			settings: pollOnly,
			poll:     []pollCall{pollFails(activities.ResultOverdue, "the deadline passed: kie.ai says running (flag 0)")},
			result:   workflows.ResultOverdue,
		},
		{
			name:     "download-rejected",
			about:    "of two videos one can't be stored; the other is kept",
			input:    request,
			settings: pollOnly,
			poll:     []pollCall{finishes(resultURL, resultURL+"?2")},
			download: []downloadCall{rejectsSecond, rejectsSecond},
			result:   workflows.DownloadRejected,
		},
	}
}
