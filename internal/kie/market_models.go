package kie

import "time"

const (
	recorded = "one recorded run of April 2026"
	noTime   = "not documented; the recorded runs of Market's models take 1 to 13 minutes"
)

var (
	mp4movMkv  = []string{".mp4", ".mov", ".mkv"}
	resolution = func(values ...string) Option { return Option{Name: "resolution", Values: values} }
	audio      = Option{Name: "audio_setting", Values: []string{"auto", "origin"}}
	filter     = Option{Name: "nsfw_checker", Kind: Boolean}
)

// marketModels are the models of Market with a row of their own. Adding one adds a row.
var marketModels = []Model{
	{
		Name: "wan/2-7-videoedit", Family: marketName, Source: "market/wan/2-7-videoedit", VideoField: "video_url", PromptOptional: true, MaxPrompt: 5000,
		Options: []Option{
			{Name: "negative_prompt", MaxLength: 500}, {Name: "reference_image", Kind: Link}, resolution("720p", "1080p"),
			{Name: "aspect_ratio"}, {Name: "duration", Kind: Integer, Max: 10, Not: []float64{1}}, audio,
			{Name: "prompt_extend", Kind: Boolean}, {Name: "watermark", Kind: Boolean}, seed, filter,
		},
		Clip:  ClipLimits{Formats: mp4mov, MinTime: 2 * time.Second, MaxTime: 10 * time.Second, MaxBytes: 100 * mb, MinPixels: 240, MaxPixels: 4096},
		Usual: 785 * time.Second, Longest: 785 * time.Second, TimeSource: recorded + ", 720p: 785 s",
	},
	{
		Name: "happyhorse/video-edit", Family: marketName, Source: "market/happyhorse/video-edit", VideoField: "video_url", MaxPrompt: 5000,
		Options: []Option{{Name: "reference_image", Kind: Links, MaxItems: 5}, resolution("720p", "1080p"), audio, seed},
		Clip:    ClipLimits{Formats: mp4mov, MinTime: 3 * time.Second, MaxTime: 60 * time.Second, MaxBytes: 100 * mb, MinPixels: 320, MaxPixels: 2160},
		Usual:   113 * time.Second, Longest: 113 * time.Second, TimeSource: recorded + ", 720p: 113 s",
	},
	{
		Name: "kling-3.0-omni/transformation", Family: marketName, Source: "market/kling/kling-3.0-omni-transformation", VideoField: "video_urls", VideoList: true, MaxPrompt: 3072,
		Options: []Option{
			{Name: "image_urls", Kind: Links, MaxItems: 4}, {Name: "elements", Kind: List}, resolution("720p", "1080p", "4k"),
			{Name: "aspect_ratio"}, {Name: "audio", Kind: Boolean}, {Name: "duration", Kind: Number, Max: 15.5},
		},
		Clip:  ClipLimits{Formats: mp4mov, MinTime: 3 * time.Second, MaxTime: 15500 * time.Millisecond, MaxBytes: 200 * mb, MinPixels: 700, MaxPixels: 4553},
		Usual: 127 * time.Second, Longest: 165 * time.Second, TimeSource: recorded + " of kling-3.0: 127 s, 165 s in 4k",
	},
	{
		Name: "bytedance/seedance-2-5", Family: marketName, Source: "market/bytedance/seedance-2-5", VideoField: "reference_video_urls", VideoList: true, MaxPrompt: 30000,
		Options: []Option{
			{Name: "duration", Kind: Integer, Min: -1, Max: 30}, {Name: "aspect_ratio"}, resolution("480p", "720p", "1080p"),
			{Name: "output_format", Values: []string{"mp4", "mov"}}, {Name: "generate_audio", Kind: Boolean}, {Name: "return_last_frame", Kind: Boolean},
		},
		Clip:  ClipLimits{Formats: mp4mov, MinTime: 4 * time.Second, MaxTime: 30 * time.Second},
		Usual: 154 * time.Second, Longest: 313 * time.Second, TimeSource: recorded + " of seedance-2: 154 to 313 s",
	},
	{
		Name: "wan/2-6-video-to-video", Family: marketName, Source: "market/wan/2-6-video-to-video", VideoField: "video_urls", VideoList: true, MaxPrompt: 5000,
		Options: []Option{{Name: "duration", Values: []string{"5", "10"}}, resolution("720p", "1080p"), filter},
		Clip:    ClipLimits{Formats: mp4movMkv, MaxBytes: 10 * mb},
		Usual:   5 * time.Minute, Longest: 20 * time.Minute, TimeSource: noTime,
	},
	{
		// The page has 5,000 characters in its prose and 1,500 in its schema.
		Name: "wan/2-6-flash-video-to-video", Family: marketName, Source: "market/wan/2-6-flash-video-to-video", VideoField: "video_urls", VideoList: true, MaxPrompt: 1500,
		Options: []Option{
			{Name: "duration", Values: []string{"5", "10"}}, resolution("720p", "1080p"), {Name: "audio", Kind: Boolean}, {Name: "multi_shots", Kind: Boolean}, filter,
		},
		Clip:  ClipLimits{Formats: mp4movMkv, MaxBytes: 10 * mb},
		Usual: 5 * time.Minute, Longest: 20 * time.Minute, TimeSource: noTime,
	},
	{
		// The page has std and pro as modes, and kie.ai has been seen to take 720p and 1080p
		// in their place. It calls callBackUrl required, and tasks without one have been seen.
		Name: "kling-3.0/motion-control", Family: marketName, Source: "market/kling/motion-control-v3", VideoField: "video_urls", VideoList: true, PromptOptional: true, MaxPrompt: 2500,
		Options: []Option{
			{Name: "input_urls", Kind: Links, Required: true, MinItems: 1}, {Name: "mode", Values: []string{"std", "pro", "720p", "1080p"}},
			{Name: "character_orientation", Values: []string{"video", "image"}}, {Name: "background_source", Values: []string{"input_video", "input_image"}},
		},
		Usual: 5 * time.Minute, Longest: 20 * time.Minute, TimeSource: noTime,
	},
	animate("wan/2-2-animate-replace"),
	animate("wan/2-2-animate-move"),
	{
		Name: "topaz/video-upscale", Family: marketName, Source: "market/topaz/video-upscale", VideoField: "video_url", PromptOptional: true, NoPrompt: true,
		Options: []Option{{Name: "upscale_factor", Values: []string{"1", "2", "4"}}},
		Clip:    ClipLimits{Formats: mp4movMkv, MaxBytes: 50 * mb},
		Usual:   5 * time.Minute, Longest: 20 * time.Minute, TimeSource: noTime,
	},
	{
		// The page has 360p as the least resolution, and no time.
		Name: "volcengine/video-to-video-lip-sync", Family: marketName, Source: "market/volcengine/video-to-video-lip-sync", VideoField: "video_url", PromptOptional: true, NoPrompt: true,
		Options: []Option{
			{Name: "mode", Required: true, Values: []string{"lite", "basic"}}, {Name: "audio_url", Kind: Link, Required: true},
			{Name: "separate_vocal", Kind: Boolean}, {Name: "open_scenedet", Kind: Boolean},
			{Name: "align_audio", Kind: Boolean}, {Name: "align_audio_reverse", Kind: Boolean}, {Name: "templ_start_seconds", Kind: Number},
		},
		Clip:  ClipLimits{Formats: mp4mov, MaxBytes: 500 * mb, MinPixels: 360},
		Usual: 5 * time.Minute, Longest: 20 * time.Minute, TimeSource: noTime,
	},
}

// animate is a model that takes a picture of a character beside the video.
func animate(name string) Model {
	return Model{
		Name: name, Family: marketName, Source: "market/" + name, VideoField: "video_url", PromptOptional: true, NoPrompt: true,
		Options: []Option{{Name: "image_url", Kind: Link, Required: true}, resolution("480p", "580p", "720p"), filter},
		Clip:    ClipLimits{Formats: mp4movMkv, MaxBytes: 10 * mb},
		Usual:   5 * time.Minute, Longest: 20 * time.Minute, TimeSource: noTime,
	}
}
