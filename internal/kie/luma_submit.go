package kie

// lumaSubmitPath creates a task (docs.kie.ai, luma-api/generate-luma-modify-video).
const lumaSubmitPath = "/api/v1/modify/generate"

// SubmitRequest is a Luma Modify task: one video in, one modified video out.
// kie.ai requires Prompt (English only) and VideoURL (public; MP4, MOV or AVI of
// at most 500 MB and 10 s); the client leaves their validation to kie.ai.
type SubmitRequest struct {
	Prompt   string
	VideoURL string
	// CallbackURL receives a POST at the end of the task. Record and callback
	// echo it.
	CallbackURL string
	// Watermark is an optional identifier "for branding"; kie.ai documents no
	// more about it.
	Watermark string
	// Permit is called once, when the connection is ready and before the first byte of
	// the request. Its error ends the submission as NotSent. Nil permits.
	Permit func() error
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
