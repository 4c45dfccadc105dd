package runs

import (
	"slices"
	"time"
)

// Submission is a paid request of a run.
type Submission struct {
	// At is the time at which the request began; zero if no evidence of it is left.
	At time.Time `json:"at,omitzero"`
	// Attempts counts the requests of the run until then.
	Attempts int `json:"attempts,omitempty"`
	// TaskID is a task that an unclear answer named.
	TaskID string `json:"taskId,omitempty"`
	// Intent identifies the attempts of one activity, of which at most one is accepted.
	Intent string `json:"intent,omitempty"`
}

// provenBy reports whether late evidence is about the submission. A refusal is about
// one attempt alone.
func (s Submission) provenBy(proof evidence) bool {
	sameAttempt := !s.At.IsZero() && s.At.Equal(proof.At)
	sameIntent := s.Intent != "" && s.Intent == proof.Intent && proof.Phase == phaseAccepted
	return sameAttempt || sameIntent
}

// outcomes are the submissions of a run, or of a chain, whose outcome was unknown at
// some time, and what settles them. They are settled together at the end: proof may
// precede the event that it is about, and may be in another run.
type outcomes struct {
	lost []Submission
	// inherited counts the submissions without a time that a run read from earlier
	// runs.
	inherited int
	// proofs are late evidence of an outcome.
	proofs []evidence
	// assumed are the tasks that runs adopted without proof of their submission: a
	// callback, an unclear answer or an operator named them.
	assumed []string
}

// lose adds a submission. A time identifies it: the history of a reset run has
// copies.
func (o *outcomes) lose(submission Submission) {
	known := slices.ContainsFunc(o.lost, func(s Submission) bool { return s.At.Equal(submission.At) })
	if submission.At.IsZero() || !known {
		o.lost = append(o.lost, submission)
	}
}

// inherit adds the submissions of earlier runs.
func (o *outcomes) inherit(earlier []Submission) {
	for _, submission := range earlier {
		if submission.At.IsZero() {
			o.inherited++
		} else {
			o.lose(submission)
		}
	}
}

// assume adds a task that a run adopted. Without a lost submission before it, it
// settles none.
func (o *outcomes) assume(taskID string) {
	if len(o.lost)+o.inherited > len(o.assumed) && !slices.Contains(o.assumed, taskID) {
		o.assumed = append(o.assumed, taskID)
	}
}

// merge adds the outcomes of another run of the chain. The runs that a submission
// without a time was inherited from are in the chain, too, or are counted as unread.
func (o *outcomes) merge(other outcomes) {
	for _, submission := range other.lost {
		o.lose(submission)
	}
	o.proofs = append(o.proofs, other.proofs...)
	for _, taskID := range other.assumed {
		if !slices.Contains(o.assumed, taskID) {
			o.assumed = append(o.assumed, taskID)
		}
	}
}

// unknown returns the submissions that are not settled, the oldest first; those
// without a time come before all others. Proof settles the submission with its time,
// each assumed task that no proof names the oldest of the rest.
func (o *outcomes) unknown() []Submission {
	open, assumed := append(make([]Submission, o.inherited), o.lost...), slices.Clone(o.assumed)
	for _, proof := range o.proofs {
		proven := slices.IndexFunc(open, func(s Submission) bool { return s.provenBy(proof) })
		if proven >= 0 {
			open = slices.Delete(open, proven, proven+1)
			assumed = slices.DeleteFunc(assumed, func(taskID string) bool { return taskID == proof.TaskID })
		}
	}
	slices.SortStableFunc(open, func(a, b Submission) int { return a.At.Compare(b.At) })
	return open[min(len(assumed), len(open)):]
}
