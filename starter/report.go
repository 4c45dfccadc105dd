package starter

import (
	"time"

	"lumaflow/workflows"
)

// Report is what is known about one job.
type Report struct {
	WorkflowID string `json:"workflowId"`
	RunID      string `json:"runId"`
	State      State  `json:"state"`
	// TaskID is the job's task at kie.ai, as far as it is known.
	TaskID    string    `json:"taskId,omitempty"`
	StartedAt time.Time `json:"startedAt,omitzero"`
	ClosedAt  time.Time `json:"closedAt,omitzero"`
	// Status is the job's own answer; nil if no worker gave one.
	Status *workflows.Status `json:"status,omitempty"`
	// Result is there if the job has completed.
	Result *workflows.ModifyVideoResult `json:"result,omitempty"`
	// Failure is there if it ended in any other way.
	Failure *Failure `json:"failure,omitempty"`
	// Pending is what an open job is waiting for when it can't say so itself, and
	// else what has failed and is tried again.
	Pending []Pending `json:"pending,omitempty"`
	// Note says why Status is missing and what to do about it.
	Note string `json:"note,omitempty"`
}

// Failure is how a job ended that gave no video.
type Failure struct {
	// Type is the type of the job's application error, such as
	// workflows.GenerationFailed, or FailureCanceled, FailureTerminated or
	// FailureTimedOut.
	Type    string `json:"type"`
	Message string `json:"message"`
}

// The failure types of jobs that were ended from outside.
const (
	FailureCanceled   = "Canceled"
	FailureTerminated = "Terminated"
	FailureTimedOut   = "TimedOut"
)

// The failure types of jobs of many that could not be started, or looked after.
const (
	FailureNotStarted = "NotStarted"
	FailureOutOfSight = "OutOfSight"
)

// Pending is an activity that has not ended.
type Pending struct {
	Activity string `json:"activity"`
	// Attempt counts from 1.
	Attempt int `json:"attempt"`
	// LastFailure is why the attempt before failed.
	LastFailure string `json:"lastFailure,omitempty"`
	// NextAttempt is when a failed activity is tried again.
	NextAttempt time.Time `json:"nextAttempt,omitzero"`
}

// again tells of one that has failed.
func (p Pending) again() string { return p.LastFailure + "; it is tried again" }

func (r Report) open() bool { return r.State.Open() }
