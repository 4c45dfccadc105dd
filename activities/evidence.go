package activities

import "time"

// Phase says how far an attempt to submit has come.
type Phase string

const (
	// PhaseSending is stored before the first byte goes out. If it is the last
	// word of a dead attempt, a task may or may not exist.
	PhaseSending Phase = "sending"
	// PhaseAccepted is stored with the task id the moment it is read.
	PhaseAccepted Phase = "accepted"
	// PhaseRefused is stored when the attempt left nothing open: kie.ai refused
	// it or it was never sent.
	PhaseRefused Phase = "refused"
)

// Evidence is what an attempt to submit leaves on the Temporal server as it
// goes. When a worker dies, the timeout of its attempt brings the last evidence
// along, and it decides whether sending again is safe. No evidence at all
// proves that nothing was sent.
type Evidence struct {
	Phase Phase `json:"phase"`
	// TaskID is the accepted task; with PhaseSending it is one that an unclear
	// answer named, for an operator to look at.
	TaskID string `json:"taskId,omitempty"`
	// At is when the attempt began to send.
	At time.Time `json:"at"`
	// Attempts counts the submissions of the job so far.
	Attempts int      `json:"attempts"`
	Settings Settings `json:"settings"`
}
