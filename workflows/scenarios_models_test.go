package workflows_test

import (
	"context"
	"time"

	"lumaflow/activities"
	"lumaflow/workflows"
)

const marketModel = "happyhorse/video-edit"

// marketSettings are the settings of a worker without POLL_AFTER for a job of
// marketModel: the first poll follows its usual time.
var marketSettings = &activities.Settings{Callbacks: true, PollAfter: 113 * time.Second * 3 / 2, Facts: true, Usual: 113 * time.Second}

func marketRequest() workflows.ModifyVideoInput {
	input := request
	input.Model, input.Options = marketModel, map[string]any{"resolution": "720p", "seed": 7}
	return input
}

// storesAsKie is a download of another family than Luma Modify.
func storesAsKie(ctx context.Context, rec *recording, in activities.DownloadInput) (activities.Downloaded, error) {
	downloaded, err := stored(ctx, rec, in)
	downloaded.Name = "kie_result_" + in.TaskID + "_1.mp4"
	downloaded.Video.Location = "file:///videos/" + downloaded.Name
	return downloaded, err
}

// modelScenarios are jobs of other models than Luma Modify.
func modelScenarios() []scenario {
	credits, none := 28.0, 0.0
	return []scenario{
		{
			name:     "market-woken-by-callback",
			about:    "a job of a Market model with options: the memo, the result and the receipt have the model and the credits",
			input:    marketRequest(),
			settings: marketSettings,
			submit:   []submitCall{intending(accepts)},
			confirm: []confirmCall{func(ctx context.Context, rec *recording, in activities.ConfirmInput) (activities.Finished, error) {
				finished, err := confirms(ctx, rec, in)
				finished.Credits = &credits
				return finished, err
			}},
			download: []downloadCall{storesAsKie},
			drive:    callBackWhenWaiting,
		},
		{
			name:     "market-found-by-callback-and-failed",
			about:    "no answer to the submission of a Market model, the callback names the task, and kie.ai's record has its failure, which costs nothing",
			input:    marketRequest(),
			settings: marketSettings,
			submit:   []submitCall{intending(losesAnswer(""))},
			identify: []identifyCall{func(ctx context.Context, rec *recording, in activities.IdentifyInput) (activities.Identified, error) {
				identified, err := identifies(ctx, rec, in)
				identified.Model = marketModel
				return identified, err
			}},
			confirm: []confirmCall{confirmsNothing},
			poll: []pollCall{func(context.Context, *recording, activities.PollInput) (activities.Finished, error) {
				return activities.Finished{}, nonRetryable(activities.GenerationFailed, "kie.ai could not modify the video: 400 moderated", 1, none)
			}},
			drive: func(rec *recording) {
				rec.awaitStage(workflows.StageSubmitUnknown, 1)
				rec.sendSuccess(ourTask)
			},
			result: workflows.GenerationFailed,
		},
		{
			name:     "aleph-adopted-by-input",
			about:    "the input names a task without its model: kie.ai's record says that it is of Runway Aleph, and has no credits",
			input:    workflows.ModifyVideoInput{TaskID: ourTask},
			settings: &activities.Settings{Callbacks: true, PollAfter: 450 * time.Second, Facts: true, Usual: 5 * time.Minute},
			identify: []identifyCall{func(ctx context.Context, rec *recording, in activities.IdentifyInput) (activities.Identified, error) {
				identified, err := identifies(ctx, rec, in)
				identified.Model = "aleph"
				return identified, err
			}},
			download: []downloadCall{storesAsKie},
		},
	}
}
