package kie

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The family Runway Aleph (docs.kie.ai, runway-api/generate-aleph-video and
// get-aleph-video-details). kie.ai does not document whether its record echoes the
// callback URL: the sample has prompt and video only, the weaker proof.
var _ = register(family{
	name:       "Runway Aleph",
	model:      "aleph",
	submitPath: "/api/v1/aleph/generate",
	recordPath: "/api/v1/aleph/record-info",
	watermark:  true,
	body:       alephBody,
	state:      alephState,
	results: func(data object) foundLinks {
		return data.child("response").links("resultVideoUrl", "resultUrls").orElse(data.links("resultVideoUrl"))
	},
	echo: func(data object) echo { return data.child("paramJson").request() },
	models: []Model{{
		Name: "aleph", Family: "Runway Aleph", Source: "runway-api/generate-aleph-video", VideoField: "videoUrl", MaxPrompt: 2048,
		Options: []Option{
			{Name: "waterMark"}, {Name: "uploadCn", Kind: Boolean}, {Name: "aspectRatio", Values: []string{"16:9", "9:16", "4:3", "3:4", "1:1", "21:9"}},
			{Name: "seed", Kind: Integer, Max: 1<<31 - 1}, {Name: "referenceImage", Kind: Link},
		},
		Usual: 5 * time.Minute, Longest: 20 * time.Minute, TimeSource: "not documented; the sample record takes 5 m 45 s",
	}},
})

// alephState: flag 0 is "failed or in progress", failed if there is an error, which is
// documented as a number other than 0 and a text. Whatever else stands there proves
// neither: the task may run and be paid, so that its state is unknown. The other flags
// have Luma's meaning, which kie.ai does not document for Aleph.
func alephState(data object) (State, int) {
	flag := flagOf(data)
	if flag != lumaGenerating {
		return lumaState(flag), flag
	}
	code, numeric := data.integer("errorCode")
	switch {
	case !namesNoError(data.text("errorMessage")), numeric && code != 0 && code != http.StatusOK:
		return Failed, flag
	case namesNoError(strings.Trim(string(data["errorCode"]), `"`)), numeric && code == 0:
		return Pending, flag
	default:
		return UnknownState, flag
	}
}

// noErrors are texts that services write in the place of an error when there is none.
var noErrors = []string{"", "0", "null", "none", "nil", "undefined", "false", "n/a", "-", "ok", "success"}

func namesNoError(text string) bool {
	return slices.Contains(noErrors, strings.ToLower(strings.TrimSpace(text)))
}

func alephBody(r SubmitRequest) any {
	body := maps.Clone(r.Options)
	if body == nil {
		body = map[string]any{}
	}
	body["prompt"], body["videoUrl"] = r.Prompt, r.VideoURL
	if r.CallbackURL != "" {
		body["callBackUrl"] = r.CallbackURL
	}
	if r.Watermark != "" {
		body["waterMark"] = r.Watermark
	}
	return body
}
