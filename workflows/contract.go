package workflows

import (
	"time"

	"lumaflow/activities"
	"lumaflow/workflows/signals"
)

// Names that users, the webhook and the worker share. They are part of the
// contract: a renamed one would strand running jobs.
const (
	// ModifyVideoName is the workflow type.
	ModifyVideoName = "ModifyVideo"
	// DefaultTaskQueue is where workflows, polls and downloads run.
	DefaultTaskQueue = "lumaflow"
	// StatusQuery answers with a Status.
	StatusQuery = "status"
	// ResolveUpdate takes a Resolution and answers with a Status.
	ResolveUpdate = "resolve"
	// StageAttribute and TaskIDAttribute are the keyword search attributes a
	// job sets if its namespace has them.
	StageAttribute  = "LumaStage"
	TaskIDAttribute = "LumaTaskId"
)

// SubmitTaskQueue names the task queue for submissions that goes with a task
// queue. Submissions have a queue of their own so that the rate limit of the
// account throttles nothing else.
func SubmitTaskQueue(taskQueue string) string { return taskQueue + "-submit" }

// ModifyVideoInput asks for one modified video. Prompt and VideoURL are
// required, unless TaskID is set: then the job adopts that task, submits
// nothing and costs nothing.
type ModifyVideoInput struct {
	// Prompt describes the change, in English (kie.ai takes no other language).
	Prompt string `json:"prompt,omitempty"`
	// VideoURL is where kie.ai fetches the source: http or https, MP4, MOV or
	// AVI, at most 500 MB and 10 s.
	VideoURL string `json:"videoUrl,omitempty"`
	// VideoSHA256 is the SHA-256 of the video's content in lower-case
	// hexadecimal, if it is known: of a file that was uploaded, say. The job is
	// then told from others by it, and not by VideoURL.
	VideoSHA256 string `json:"videoSha256,omitempty"`
	// VideoExpires is when VideoURL stops being of use, as an RFC 3339 time:
	// kie.ai deletes uploads after 24 hours. From then on the job is not
	// submitted any more but fails with SubmitRefused. Empty means never.
	VideoExpires string `json:"videoExpires,omitempty"`
	// Watermark is kie.ai's optional watermark identifier.
	Watermark string `json:"watermark,omitempty"`
	// TaskID adopts a task that was submitted before, by whatever tool.
	TaskID string `json:"taskId,omitempty"`
	// Name prefixes the stored files.
	Name string `json:"name,omitempty"`
	// RecoveryWindow is how long a submission with an unknown outcome waits
	// for proof, as a Go duration string. Empty means 1h.
	RecoveryWindow string `json:"recoveryWindow,omitempty"`
	// Deadline bounds the wait for a place at the provider and, from the
	// accepted submission on, the wait for the stored result, as a Go duration
	// string. Empty means 24h.
	Deadline string `json:"deadline,omitempty"`
	// OnUnknownSubmit says what to do when the recovery window ends without
	// proof: "fail" (the default) or "resubmit", which may pay twice.
	OnUnknownSubmit string `json:"onUnknownSubmit,omitempty"`

	// malformed is why the JSON did not fit. The job reports it as an
	// InvalidRequest instead of failing to start.
	malformed error
}

// ModifyVideoResult is a finished job.
type ModifyVideoResult struct {
	TaskID string `json:"taskId"`
	// WokenBy says what ended the wait: "callback" or "poll".
	WokenBy     string    `json:"wokenBy"`
	SubmittedAt time.Time `json:"submittedAt"`
	CompletedAt time.Time `json:"completedAt"`
	Videos      []Video   `json:"videos"`
}

// Video is one stored, verified video.
type Video = activities.Video

// Callback is the payload of CallbackSignal.
type Callback = signals.CallbackPayload

// CallbackSignal is sent by the webhook.
var CallbackSignal = signals.Callback

// Resolution is an operator's answer to a submission with an unknown outcome.
type Resolution struct {
	// Action is one of AdoptTask, Resubmit and WriteOff.
	Action string `json:"action"`
	// TaskID is the task to adopt.
	TaskID string `json:"taskId,omitempty"`
}

// What an operator can decide.
const (
	AdoptTask = "adopt"
	Resubmit  = "resubmit"
	WriteOff  = "write-off"
)

// Stage is where a job is in its life.
type Stage string

// The stages of a job. Done and Failed are final.
const (
	StageSubmitting    Stage = "submitting"
	StageHeld          Stage = "held"
	StageSubmitUnknown Stage = "submit-unknown"
	StageWaiting       Stage = "waiting"
	StageCollecting    Stage = "collecting"
	StageDone          Stage = "done"
	StageFailed        Stage = "failed"
)

// Status is what the status query answers.
type Status struct {
	Stage  Stage  `json:"stage"`
	TaskID string `json:"taskId"`
	// Detail is one plain sentence: what is happening, or what went wrong and
	// what to do next.
	Detail string `json:"detail"`
	// Since is when the stage began.
	Since time.Time `json:"since"`
	// SubmitAttempts counts the submissions whose request may have been sent.
	SubmitAttempts int `json:"submitAttempts"`
	// Polls counts the record-info requests that the job has seen the end of.
	Polls int `json:"polls"`
	// Callbacks counts the callbacks received, useful or not.
	Callbacks int     `json:"callbacks"`
	Videos    []Video `json:"videos"`
}

// The types of the application errors a job fails with.
const (
	InvalidRequest   = activities.InvalidRequest
	SubmitRefused    = activities.SubmitRefused
	SubmitUnknown    = activities.SubmitUnknown
	GenerationFailed = activities.GenerationFailed
	ResultOverdue    = activities.ResultOverdue
	DownloadRejected = activities.DownloadRejected
)
