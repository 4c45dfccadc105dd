package kie

import "time"

// lumaFamily is Luma Modify (docs.kie.ai, luma-api/generate-luma-modify-video and
// luma-api/get-luma-modify-details). Its record echoes the callback URL.
var lumaFamily = register(family{
	name:        "Luma Modify",
	model:       DefaultModel,
	submitPath:  "/api/v1/modify/generate",
	recordPath:  "/api/v1/modify/record-info",
	watermark:   true,
	endedByCode: true,
	body:        func(r SubmitRequest) any { return r.lumaSubmission() },
	state: func(data object) (State, int) {
		flag := flagOf(data)
		return lumaState(flag), flag
	},
	results: func(data object) foundLinks { return links(data.child("response"), data.child("info"), data) },
	echo:    func(data object) echo { return data.child("paramJson", "promptJson", "param").request() },
	models: []Model{{
		Name: DefaultModel, Family: "Luma Modify", Source: "luma-api/generate-luma-modify-video (no longer listed)",
		VideoField: "videoUrl", Clip: ClipLimits{Formats: []string{".mp4", ".mov", ".avi"}, MaxTime: 10 * time.Second, MaxBytes: 500 * mb},
		Price: "not documented; users assume 100 credits",
		Usual: 400 * time.Second, Longest: 20 * time.Minute, TimeSource: "documented: 2 to 20 minutes", firstPoll: 10 * time.Minute,
	}},
})

// The values of Luma's successFlag.
const (
	lumaGenerating     = 0
	lumaSuccess        = 1
	lumaCreateFailed   = 2
	lumaGenerateFailed = 3
	// The video was generated and paid for; only its callback failed.
	lumaCallbackFailed = 4
)

func lumaState(flag int) State {
	switch flag {
	case lumaGenerating:
		return Pending
	case lumaSuccess, lumaCallbackFailed:
		return Succeeded
	case lumaCreateFailed, lumaGenerateFailed:
		return Failed
	default:
		return UnknownState
	}
}

// lumaSubmission is the body of a submission. kie.ai spells callBackUrl with a
// capital B, and echoes watermark as waterMark.
type lumaSubmission struct {
	Prompt      string `json:"prompt"`
	VideoURL    string `json:"videoUrl"`
	CallbackURL string `json:"callBackUrl,omitempty"`
	Watermark   string `json:"watermark,omitempty"`
}

func (r SubmitRequest) lumaSubmission() lumaSubmission {
	return lumaSubmission{Prompt: r.Prompt, VideoURL: r.VideoURL, CallbackURL: r.CallbackURL, Watermark: r.Watermark}
}

// request reads an echo in which the fields of the submission are side by side.
func (o object) request() echo {
	return echo{
		prompt:      o.text("prompt"),
		videoURL:    o.text("videoUrl", "video_url"),
		watermark:   o.text("waterMark", "watermark"),
		callbackURL: o.text("callBackUrl", "callbackUrl", "callback_url"),
	}
}
