// Package batches orchestrates many jobs as one durable workflow: it starts the jobs
// of a manifest within a window, counts their ends and stops before more is paid than
// its input permits. Its jobs outlive it.
package batches

import (
	"encoding/json"
	"time"
)

// Names that clients and workers share.
const (
	// ModifyVideosName is the workflow type.
	ModifyVideosName = "ModifyVideos"
	// ProgressQuery returns a Progress.
	ProgressQuery = "progress"
	// The updates return the Progress after them. PauseUpdate starts no more jobs until
	// ResumeUpdate. StopUpdate starts no more jobs, and the batch ends when the started
	// ones have. SetConcurrencyUpdate takes a number. RetryUpdate has the batch go
	// through its manifest once more, as if it were started again with RetryFailed,
	// when it has come to the end.
	PauseUpdate          = "pause"
	ResumeUpdate         = "resume"
	StopUpdate           = "stop"
	SetConcurrencyUpdate = "set-concurrency"
	RetryUpdate          = "retry"
)

// Limits of an input.
const (
	// MaxItems is the greatest number of inline items, MaxItemsBytes of their bytes:
	// Temporal accepts a payload of 2 MB.
	MaxItems      = 500
	MaxItemsBytes = 1 << 20
	// DefaultConcurrency is the Concurrency of an input that has none.
	DefaultConcurrency = 100
	// MaxConcurrency stays below the 2,000 pending children that Temporal permits a
	// workflow.
	MaxConcurrency = 1000
	// RateWindow is the number of last ends that MaxFailureRate is about.
	RateWindow = 50
)

// Input is the request for a batch. Either Manifest or Items is required.
type Input struct {
	// Manifest is the location of the jobs: an absolute path or a file://, s3://, gs://
	// or azblob:// URL that all workers can read, or the name of a file in the output
	// of the workers. A name that ends in .csv is CSV with a header, any other one is
	// JSON Lines. The fields of a job are those of workflows.ModifyVideoInput, and key.
	Manifest string `json:"manifest,omitempty"`
	// Items are the jobs themselves, each as a line of JSON Lines, at most MaxItems. A
	// null is a blank line.
	Items []json.RawMessage `json:"items,omitempty"`
	// SHA256 is the hash that the manifest must have, in lower-case hexadecimal, for
	// Items that of manifest.Encode; empty accepts any. The batch fails with
	// ManifestChanged if it has another one.
	SHA256 string `json:"sha256,omitempty"`
	// Concurrency is the greatest number of open jobs of the batch; 0 means
	// DefaultConcurrency, and at most MaxConcurrency is accepted.
	Concurrency int `json:"concurrency,omitempty"`
	// Budget is the greatest number of paid submissions of the batch, in all its runs;
	// 0 means no limit. A submission with an unknown outcome counts as paid, a job that
	// another client started does not count. Jobs that cost nothing run beyond it.
	Budget int `json:"budget,omitempty"`
	// Canary is the number of first jobs that must all have a stored video before
	// others start; 0 means none.
	Canary int `json:"canary,omitempty"`
	// MaxFailureRate stops the batch if a greater part of the last RateWindow ended
	// jobs has no video; 0 means no limit.
	MaxFailureRate float64 `json:"maxFailureRate,omitempty"`
	// RetryFailed also runs the jobs again for which kie.ai made no video, each of
	// which is another paid submission, and collects tasks that were paid and not
	// stored, at no cost.
	RetryFailed bool `json:"retryFailed,omitempty"`

	// Continued is the state that a run of the batch leaves to its next run. Clients
	// leave it out.
	Continued *State `json:"continued,omitempty"`

	// malformed is the error of the JSON decoder or that about a field that no input
	// has. The batch reports it as an InvalidRequest.
	malformed error
}

// Phase is what a batch does.
type Phase string

// The phases of a batch. Done is final.
const (
	// PhaseChecking reads the whole manifest. Nothing is started.
	PhaseChecking Phase = "checking"
	PhaseRunning  Phase = "running"
	// PhasePaused waits for ResumeUpdate.
	PhasePaused Phase = "paused"
	// PhaseHeld waits until kie.ai accepts submissions again; the jobs that it holds
	// try by themselves.
	PhaseHeld Phase = "held"
	// PhaseStopping waits for the started jobs and starts no more.
	PhaseStopping Phase = "stopping"
	PhaseDone     Phase = "done"
)

// Standing reports whether a batch that has jobs left starts none until something
// happens outside of it.
func (p Phase) Standing() bool { return p == PhasePaused || p == PhaseHeld }

// Progress is the result of the progress query and of the updates.
type Progress struct {
	Phase Phase `json:"phase"`
	// Reason is why a batch that has jobs left starts none, or only those that cost
	// nothing; empty if it starts them.
	Reason string `json:"reason,omitempty"`
	// Manifest is the location of the manifest, SHA256 its hash in hexadecimal.
	Manifest string `json:"manifest,omitempty"`
	SHA256   string `json:"sha256,omitempty"`
	// Counts are complete once the manifest is checked.
	Counts
	// Concurrency is the greatest number of open jobs.
	Concurrency int `json:"concurrency"`
	// InFlight counts the open jobs, Held those of them that kie.ai holds.
	InFlight int `json:"inFlight"`
	Held     int `json:"held"`
	// NotStarted counts the jobs that are not started or found yet.
	NotStarted int `json:"notStarted"`
	// PerHour is the rate of ended jobs over the last RateWindow ends. Remaining is the
	// time in which the other jobs start at that rate and the last of them ends after the
	// median time of the ended ones. Both are 0 if they are unknown.
	PerHour   float64       `json:"perHour,omitempty"`
	Remaining time.Duration `json:"remaining,omitempty"`
	StartedAt time.Time     `json:"startedAt"`
	// LastEndAt is the time at which the last job ended; zero if none has.
	LastEndAt time.Time `json:"lastEndAt,omitzero"`
	// RetryRequested means that the batch goes through its manifest once more.
	RetryRequested bool `json:"retryRequested,omitempty"`
}

// Counts are the numbers of a batch. Jobs = Done + Failed + jobs that are in flight
// or not started.
type Counts struct {
	// Lines counts the lines of the manifest that hold a job, Duplicates those of them
	// that repeat another one, Jobs the others.
	Lines      int `json:"lines"`
	Duplicates int `json:"duplicates"`
	Jobs       int `json:"jobs"`
	// Done counts the jobs with a stored video, Failed those that ended without,
	// Existing those of both that had ended before the batch came to them.
	Done     int `json:"done"`
	Failed   int `json:"failed"`
	Existing int `json:"existing"`
	// Charges counts the paid submissions of the batch, in all its runs.
	Charges int `json:"charges"`
}

// Result is the result of a batch. It completes also if jobs failed or it was
// stopped.
type Result struct {
	Counts
	NotStarted int `json:"notStarted"`
	// Stopped is why the batch did not start all jobs; empty if it did.
	Stopped string `json:"stopped,omitempty"`
	// Results is the location of the file with one line for each line of the manifest,
	// in its order.
	Results   string    `json:"results"`
	StartedAt time.Time `json:"startedAt"`
	EndedAt   time.Time `json:"endedAt"`
}

// InvalidRequest and ManifestChanged are the types of the application errors that a
// batch fails with.
const (
	InvalidRequest = "InvalidRequest"
	// ManifestChanged means that the manifest is not the one that was checked.
	ManifestChanged = "ManifestChanged"
)
