package starter

import (
	"time"

	"lumaflow/workflows"
)

// Report is the status of one job. Its names in JSON are part of the command line.
type Report struct {
	WorkflowID string `json:"workflowId"`
	RunID      string `json:"runId"`
	State      State  `json:"state"`
	// TaskID is the job's task at kie.ai; empty if it is unknown.
	TaskID    string    `json:"taskId,omitempty"`
	StartedAt time.Time `json:"startedAt,omitzero"`
	ClosedAt  time.Time `json:"closedAt,omitzero"`
	// Status is the answer to the status query; nil if no worker answered.
	Status *workflows.Status `json:"status,omitempty"`
	// Result is set if the job has completed.
	Result *workflows.ModifyVideoResult `json:"result,omitempty"`
	// Failure is set if it ended in any other way.
	Failure *Failure `json:"failure,omitempty"`
	// Pending are the activities of an open job that failed and are retried, or all
	// of its pending activities if Status is nil.
	Pending []Pending `json:"pending,omitempty"`
	// Note explains why Status is missing, and what to do.
	Note string `json:"note,omitempty"`
}

// Failure is the end of a job without a video.
type Failure struct {
	// Type is the type of the job's application error, such as
	// workflows.GenerationFailed, or one of the Failure constants.
	Type    string `json:"type"`
	Message string `json:"message"`
}

// The failure types of jobs that did not end by themselves.
const (
	FailureCanceled   = "Canceled"
	FailureTerminated = "Terminated"
	FailureTimedOut   = "TimedOut"
)

// The failure types of jobs of a batch that could not be started, or not be
// watched to their end.
const (
	FailureNotStarted = "NotStarted"
	FailureOutOfSight = "OutOfSight"
)

// Pending is an activity that has not ended.
type Pending struct {
	Activity string `json:"activity"`
	// Attempt counts from 1.
	Attempt int `json:"attempt"`
	// LastFailure is the failure of the attempt before.
	LastFailure string `json:"lastFailure,omitempty"`
	// NextAttempt is the time of the retry.
	NextAttempt time.Time `json:"nextAttempt,omitzero"`
}

// retryText describes an activity that has failed.
func (p Pending) retryText() string { return p.LastFailure + "; it is retried" }

func (r Report) open() bool { return r.State.Open() }
