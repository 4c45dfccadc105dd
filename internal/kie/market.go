package kie

import (
	"maps"
	"strings"
)

const marketName = "Market"

// marketFamily are the models of kie.ai's market (docs.kie.ai, market/common). The
// request carries the name of the model; its fields differ by model: see Model. The
// record echoes the callback URL in param, where input is again JSON text.
var marketFamily = register(family{
	name:       marketName,
	submitPath: "/api/v1/jobs/createTask",
	recordPath: "/api/v1/jobs/recordInfo",
	body:       marketBody,
	state: func(data object) (State, int) {
		return marketState(data.text("state")), flagOf(data)
	},
	results: marketResults,
	echo:    marketEcho,
	models:  marketModels,
})

// marketState decides on state alone: successFlag is absent in older answers. An
// unknown state runs on.
func marketState(state string) State {
	switch strings.ToLower(strings.TrimSpace(state)) {
	case "success":
		return Succeeded
	case "fail":
		return Failed
	case "waiting", "queuing", "generating":
		return Pending
	default:
		return UnknownState
	}
}

// marketResults are in response, or in resultJson as text, which is empty while the
// task runs. param holds the source under names of results and is never read here;
// firstFrameUrl and lastFrameUrl are pictures.
func marketResults(data object) foundLinks {
	var found foundLinks
	for _, holder := range []object{data.child("response"), data.child("resultJson")} {
		found = found.orElse(holder.links("resultUrls", "result_urls"))
	}
	return found
}

type marketSubmission struct {
	Model       string         `json:"model"`
	CallbackURL string         `json:"callBackUrl,omitempty"`
	Input       map[string]any `json:"input"`
}

func marketBody(r SubmitRequest) any {
	model, _ := ModelOf(r.Model)
	input := maps.Clone(r.Options)
	if input == nil {
		input = map[string]any{}
	}
	if r.Prompt != "" {
		input["prompt"] = r.Prompt
	}
	field, list := model.VideoField, model.VideoList
	if r.VideoField != "" {
		field, list = r.VideoField, r.VideoList
	}
	if list {
		input[field] = []string{r.VideoURL}
	} else {
		input[field] = r.VideoURL
	}
	return marketSubmission{Model: r.Model, CallbackURL: r.CallbackURL, Input: input}
}

// videoFields are the fields of Market's models that hold a source video. input_urls is
// none: it holds pictures.
var videoFields = []string{"video_url", "video_urls", "reference_video_urls", "videoUrl"}

func marketEcho(data object) echo {
	request := data.child("param")
	input := request.child("input")
	found := echo{prompt: input.text("prompt"), callbackURL: request.text("callBackUrl", "callbackUrl")}
	for _, field := range videoFields {
		if found.videoURL = input.text(field); found.videoURL != "" {
			break
		}
		if listed := textsInArray(input[field]); len(listed) > 0 {
			found.videoURL = listed[0]
			break
		}
	}
	return found
}
