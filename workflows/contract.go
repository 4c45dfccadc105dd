package workflows

import (
	"time"

	"lumaflow/activities"
	"lumaflow/workflows/signals"
)

// Names that users, the webhook and the worker share. They are part of the
// contract: renaming one strands running jobs.
const (
	// ModifyVideoName is the workflow type.
	ModifyVideoName = "ModifyVideo"
	// DefaultTaskQueue is the task queue of workflows, polls and downloads.
	DefaultTaskQueue = "lumaflow"
	// StatusQuery returns a Status.
	StatusQuery = "status"
	// ResolveUpdate takes a Resolution and returns a Status.
	ResolveUpdate = "resolve"
	// StageAttribute and TaskIDAttribute are keyword search attributes. A job sets
	// them if its namespace has them.
	StageAttribute  = "LumaStage"
	TaskIDAttribute = "LumaTaskId"
	// BatchAttribute is the keyword search attribute of the jobs of a batch: the
	// workflow id of the batch.
	BatchAttribute = "LumaBatch"
)

// SearchAttributes are the search attributes of lumaflow.
var SearchAttributes = []string{StageAttribute, TaskIDAttribute, BatchAttribute}

// SubmitTaskQueue is the task queue for the submissions of a task queue. It is a
// queue of its own, so that the rate limit of the account throttles submissions
// alone.
func SubmitTaskQueue(taskQueue string) string { return taskQueue + "-submit" }

// ModifyVideoInput is the request for one modified video. Prompt and VideoURL are
// required, unless TaskID is set: then the job adopts that task, submits
// nothing and costs nothing.
type ModifyVideoInput struct {
	// Prompt describes the change. kie.ai documents that it accepts English only.
	Prompt string `json:"prompt,omitempty"`
	// VideoURL is the http or https address of the source, which kie.ai fetches.
	// kie.ai documents MP4, MOV and AVI, at most 500 MB and 10 s, for Luma Modify.
	VideoURL string `json:"videoUrl,omitempty"`
	// VideoSHA256 is the SHA-256 of the video's content in lower-case hexadecimal,
	// for example of an uploaded file. If it is set, it identifies the video in the
	// job id instead of VideoURL.
	VideoSHA256 string `json:"videoSha256,omitempty"`
	// VideoExpires is the end of VideoURL's lifetime, as an RFC 3339 time: kie.ai
	// documents that it deletes uploads after 24 hours. A job that is not submitted
	// by then fails with SubmitRefused. Empty means never.
	VideoExpires string `json:"videoExpires,omitempty"`
	// Model is the model of kie.ai. Empty means "luma", Luma Modify; for a task to adopt
	// it means the model in kie.ai's record.
	Model string `json:"model,omitempty"`
	// Options are the model's own fields. They are checked before anything is paid.
	Options map[string]any `json:"options,omitempty"`
	// Unchecked permits options of a model that lumaflow has no table and kie.ai no
	// schema of. kie.ai ignores a misspelled one and bills in full.
	Unchecked bool `json:"unchecked,omitempty"`
	// Watermark is kie.ai's optional watermark identifier.
	Watermark string `json:"watermark,omitempty"`
	// TaskID adopts a task that was submitted before, by lumaflow or another tool.
	TaskID string `json:"taskId,omitempty"`
	// Name prefixes the stored files.
	Name string `json:"name,omitempty"`
	// RecoveryWindow bounds the wait for proof of a submission with an unknown
	// outcome, counted from the submission, as a Go duration string. Empty means 1h.
	RecoveryWindow string `json:"recoveryWindow,omitempty"`
	// Deadline bounds the wait until kie.ai accepts the submission and, counted from
	// then, the wait for the stored result, as a Go duration string. Empty means 24h.
	Deadline string `json:"deadline,omitempty"`
	// OnUnknownSubmit is the action when the recovery window ends without proof:
	// "fail" (the default) or "resubmit", which may pay twice.
	OnUnknownSubmit string `json:"onUnknownSubmit,omitempty"`
	// Batch is the workflow id of the batch that started the job, which the job
	// reports its end to. It is no part of the job id.
	Batch string `json:"batch,omitempty"`

	// malformed is the error of the JSON decoder. The job reports it as an
	// InvalidRequest; a decoding error would fail the workflow task instead.
	malformed error
	// unknownField is the error about a field that no input has.
	unknownField error
}

// WorkflowInput implements codec.WorkflowInput.
func (ModifyVideoInput) WorkflowInput() {}

// ModifyVideoResult is the result of a finished job.
type ModifyVideoResult struct {
	TaskID string `json:"taskId"`
	// Model is empty for Luma Modify.
	Model string `json:"model,omitempty"`
	// Credits is the cost of the task; nil if kie.ai's record has none.
	Credits *float64 `json:"credits,omitempty"`
	// WokenBy is the cause that ended the wait: "callback" or "poll".
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

// JobEnd is the payload of JobEndSignal.
type JobEnd = activities.JobEnd

// JobEndSignal is sent by each job of a batch to the batch when the job ends.
var JobEndSignal = signals.Signal[JobEnd]{
	Name:        activities.JobEndSignal,
	Description: "a job of the batch has ended; the batch verifies it at intervals, so that a lost report does no harm",
}

// Resolution is an operator's decision about a submission with an unknown
// outcome.
type Resolution struct {
	// Action is one of AdoptTask, Resubmit and WriteOff.
	Action string `json:"action"`
	// TaskID is the task to adopt.
	TaskID string `json:"taskId,omitempty"`
	// By is the name of the person or the tool that decided, at most 200 bytes of
	// printable text; empty if it is unknown. It is not authenticated.
	By string `json:"by,omitempty"`

	// unreadable is the codec's error. The validator rejects such an update.
	unreadable error
}

// Unreadable implements codec.UpdateInput.
func (r *Resolution) Unreadable(err error) { r.unreadable = err }

// The actions of a Resolution.
const (
	AdoptTask = "adopt"
	Resubmit  = "resubmit"
	WriteOff  = "write-off"
)

// Stage is a stage in the life of a job.
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

// Status is the result of the status query.
type Status struct {
	Stage  Stage  `json:"stage"`
	TaskID string `json:"taskId"`
	// Credits is the cost of the task; nil until kie.ai's record has one.
	Credits *float64 `json:"credits,omitempty"`
	// Detail is one sentence: the current activity, or the failure and the next
	// command.
	Detail string `json:"detail"`
	// Next is the command to use next, which Detail contains; a sentence if there is
	// none, and empty if nothing has to be done.
	Next string `json:"next,omitempty"`
	// Since is the start of the stage.
	Since time.Time `json:"since"`
	// SubmitAttempts counts the submissions whose request may have been sent.
	SubmitAttempts int `json:"submitAttempts"`
	// Polls counts the record-info requests of ended polls.
	Polls int `json:"polls"`
	// Callbacks counts the callbacks received, useful or not.
	Callbacks int     `json:"callbacks"`
	Videos    []Video `json:"videos"`
	// Resolved is the latest decision of an operator; nil if there was none.
	Resolved *Resolved `json:"resolved,omitempty"`
}

// Resolved is a Resolution that a job has applied.
type Resolved struct {
	Resolution
	// At is the time at which the job took it.
	At time.Time `json:"at"`
}

// The types of the application errors that a job fails with.
const (
	InvalidRequest   = activities.InvalidRequest
	SubmitRefused    = activities.SubmitRefused
	SubmitUnknown    = activities.SubmitUnknown
	GenerationFailed = activities.GenerationFailed
	ResultOverdue    = activities.ResultOverdue
	DownloadRejected = activities.DownloadRejected
)
