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
	Lost []Submission `json:"lost,omitempty"`
	// inherited counts the submissions without a time that a run read from earlier
	// runs.
	inherited int
	// Proofs are late evidence of an outcome.
	Proofs []evidence `json:"proofs,omitempty"`
	// Assumed are the tasks that runs adopted without proof of their submission: a
	// callback, an unclear answer or an operator named them.
	Assumed []string `json:"assumed,omitempty"`
}

// lose adds a submission. A time identifies it: the history of a reset run has
// copies.
func (o *outcomes) lose(submission Submission) {
	known := slices.ContainsFunc(o.Lost, func(s Submission) bool { return s.At.Equal(submission.At) })
	if submission.At.IsZero() || !known {
		o.Lost = append(o.Lost, submission)
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
	if len(o.Lost)+o.inherited > len(o.Assumed) && !slices.Contains(o.Assumed, taskID) {
		o.Assumed = append(o.Assumed, taskID)
	}
}

// merge adds the outcomes of another run of the chain. The runs that a submission
// without a time was inherited from are in the chain, too, or are counted as unread.
func (o *outcomes) merge(other outcomes) {
	for _, submission := range other.Lost {
		o.lose(submission)
	}
	for _, proof := range other.Proofs {
		// A reset copies the signals of a run into the next one.
		if !slices.ContainsFunc(o.Proofs, proof.equal) {
			o.Proofs = append(o.Proofs, proof)
		}
	}
	for _, taskID := range other.Assumed {
		if !slices.Contains(o.Assumed, taskID) {
			o.Assumed = append(o.Assumed, taskID)
		}
	}
}

// unknown returns the submissions that are not settled, the oldest first; those
// without a time come before all others. Proof settles the submission with its time,
// each assumed task that no proof names the oldest of the rest.
func (o *outcomes) unknown() []Submission {
	open, assumed := append(make([]Submission, o.inherited), o.Lost...), slices.Clone(o.Assumed)
	for _, proof := range o.Proofs {
		rest := slices.DeleteFunc(open, func(s Submission) bool { return s.provenBy(proof) })
		if len(rest) < len(open) {
			assumed = slices.DeleteFunc(assumed, func(taskID string) bool { return taskID == proof.TaskID })
		}
		open = rest
	}
	slices.SortStableFunc(open, func(a, b Submission) int { return a.At.Compare(b.At) })
	return open[min(len(assumed), len(open)):]
}
