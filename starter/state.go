package starter

import (
	"cmp"

	enumspb "go.temporal.io/api/enums/v1"

	"lumaflow/workflows"
)

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

// The states of a job of a batch that does not exist, or may not.
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
