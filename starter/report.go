package starter

import (
	"cmp"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"lumaflow/internal/oneline"
	"lumaflow/workflows"
)

// Report is the status of one job. Its names in JSON are part of the command line.
type Report struct {
	WorkflowID string `json:"workflowId"`
	RunID      string `json:"runId"`
	State      State  `json:"state"`
	// TaskID is the job's task at kie.ai; empty if it is unknown.
	TaskID string `json:"taskId,omitempty"`
	// Model is that of the task; empty for Luma Modify, and before the first paid request.
	Model string `json:"model,omitempty"`
	// Credits is the cost of the task; nil if kie.ai's record has none, or none yet.
	Credits   *float64  `json:"credits,omitempty"`
	StartedAt time.Time `json:"startedAt,omitzero"`
	ClosedAt  time.Time `json:"closedAt,omitzero"`
	// Status is the answer to the status query; nil if no worker answered.
	Status *workflows.Status `json:"status,omitempty"`
	// Result is set if the job has completed.
	Result *workflows.ModifyVideoResult `json:"result,omitempty"`
	// CancelRequest is set if the cancellation of the job was requested.
	CancelRequest *CancelRequest `json:"cancelRequest,omitempty"`
	// Failure is set if it ended in any other way.
	Failure *Failure `json:"failure,omitempty"`
	// Pending are the activities of an open job that are paused, or failed and are
	// retried, or all of its pending activities if Status is nil.
	Pending []Pending `json:"pending,omitempty"`
	// Runs is set if the job has several runs.
	Runs *RunCount `json:"runs,omitempty"`
	// Note is the reason for a missing Status, or a start that endangers the job, and
	// the next step.
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

var endTypes = map[State]string{
	StateCanceled: FailureCanceled, StateTerminated: FailureTerminated, StateTimedOut: FailureTimedOut,
}

// The failure types of jobs of a rescue that could not be started, or not be
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
	// Next is the command that continues a paused activity, else empty.
	Next string `json:"next,omitempty"`
}

// text describes an activity that is paused or has failed.
func (p Pending) text() string {
	if p.Next != "" {
		return "activity " + oneline.Clean(p.Activity) + " is paused; continue it with: " + p.Next
	}
	return p.LastFailure + "; it is retried"
}

// State is running or paused for an open job, else the way in which it ended. The
// progress of an open job is its workflows.Stage.
type State string

// The states of a job. All but StateRunning and StatePaused are final.
const (
	StateRunning    State = "running"
	StatePaused     State = "paused"
	StateCompleted  State = "completed"
	StateFailed     State = "failed"
	StateCanceled   State = "canceled"
	StateTerminated State = "terminated"
	StateTimedOut   State = "timed-out"
)

// The states of a job of a rescue that does not exist, or may not.
const (
	StateNotStarted State = "not-started"
	StateUnknown    State = "unknown"
)

// Open reports whether the job has not ended.
func (s State) Open() bool { return s == StateRunning || s == StatePaused }

var states = map[enumspb.WorkflowExecutionStatus]State{
	enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:  StateCompleted,
	enumspb.WORKFLOW_EXECUTION_STATUS_FAILED:     StateFailed,
	enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED:   StateCanceled,
	enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED: StateTerminated,
	enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT:  StateTimedOut,
	enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED:     StatePaused,
}

func stateOf(status enumspb.WorkflowExecutionStatus) State {
	return cmp.Or(states[status], StateRunning)
}

// Stages are the stages of a job in the order of its life.
var Stages = []workflows.Stage{
	workflows.StageSubmitting,
	workflows.StageHeld,
	workflows.StageSubmitUnknown,
	workflows.StageWaiting,
	workflows.StageCollecting,
	workflows.StageDone,
	workflows.StageFailed,
}
