package activities

// JobEnd is how a job of a batch ended. Jobs report it to their batch, and the
// activities of a batch read it from Temporal.
type JobEnd struct {
	// Job is the workflow id, Run the run that ended; Run is empty if the job is
	// deleted.
	Job string `json:"job"`
	Run string `json:"run,omitempty"`
	// Outcome is one of the Outcome constants.
	Outcome string `json:"outcome"`
	// TaskID is the job's task; empty if it has none, or one with an unknown id.
	TaskID string `json:"taskId,omitempty"`
	// Model is that of the job, empty for Luma Modify. Credits is the cost of the task as
	// kie.ai's record has it; nil if it has none.
	Model   string   `json:"model,omitempty"`
	Credits *float64 `json:"credits,omitempty"`
	// Files are the locations of the stored videos.
	Files []string `json:"files,omitempty"`
	// Failure is the type of the application error of a failed job, Reason its text
	// and Next the next command.
	Failure string `json:"failure,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Next    string `json:"next,omitempty"`
	// Charges counts the submissions of the run that are paid. A submission with an
	// unknown outcome counts as paid.
	Charges int `json:"charges,omitempty"`
}

// The outcomes of a job.
const (
	OutcomeDone       = "done"
	OutcomeFailed     = "failed"
	OutcomeCancelled  = "cancelled"
	OutcomeTerminated = "terminated"
	OutcomeTimedOut   = "timed-out"
	// OutcomeDeleted means that Temporal has no such job any more.
	OutcomeDeleted = "deleted"
	// OutcomeDuplicate means that the line of the manifest repeats another one and
	// that its job is the one of that line.
	OutcomeDuplicate = "duplicate"
	// OutcomeNotStarted means that the job was not started, because the batch was
	// stopped.
	OutcomeNotStarted = "not-started"
	// OutcomeOpen means that the job goes on, because the batch was cancelled.
	OutcomeOpen = "open"
)
