package replay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

const (
	// GateName is the workflow type of the gate, which the spec of a WorkerDeployment
	// names.
	GateName = "ReplayCheck"
	// FailureBreaks is the type of the gate's failure; its details are the BreakError.
	FailureBreaks = "ReplayBreaks"

	// gateClosed is the number of closed jobs that the gate replays by default, as
	// replay-check does; maxGateClosed bounds what an input may set.
	gateClosed    = 200
	maxGateClosed = 1_000_000

	// gateTimeout bounds the check, gateHeartbeat the time without a replayed job:
	// above the limits of a list, a history and a replay together.
	gateTimeout   = 6 * time.Hour
	gateHeartbeat = 3 * time.Minute
)

// GateInput is the optional input of the gate. The controller starts the gate without
// the keys of payloads, so the input may be unencrypted.
type GateInput struct {
	// Closed is the number of closed jobs that are replayed besides the open ones;
	// default 200.
	Closed *int `json:"closed,omitempty"`
}

// WorkflowInput implements codec.WorkflowInput.
func (GateInput) WorkflowInput() {}

// Gate runs the check on a worker of the version that is rolled out, before the
// version gets jobs.
type Gate struct {
	Temporal  Temporal
	TaskQueue string
	Options   Options
}

// Register registers the workflow of the gate and its activity.
func (g Gate) Register(registry interface {
	RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions)
	RegisterActivityWithOptions(a any, options activity.RegisterOptions)
}) {
	registry.RegisterWorkflowWithOptions(Run, workflow.RegisterOptions{Name: GateName, VersioningBehavior: workflow.VersioningBehaviorPinned})
	registry.RegisterActivityWithOptions(g.ReplayJobs, activity.RegisterOptions{Name: replayJobs})
}

// replayJobs is the name of the activity.
const replayJobs = "ReplayJobs"

// Run completes if the build of its worker can take over the jobs of its task
// queue, and fails with FailureBreaks if it can't. It costs nothing at kie.ai.
func Run(ctx workflow.Context, input GateInput) (Tally, error) {
	closed := gateClosed
	if input.Closed != nil {
		closed = *input.Closed
	}
	if closed < 0 || closed > maxGateClosed {
		return Tally{}, temporal.NewNonRetryableApplicationError(fmt.Sprintf("closed is %d: give 0 to %d", closed, maxGateClosed), "InvalidInput", nil)
	}
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		ScheduleToCloseTimeout: gateTimeout,
		HeartbeatTimeout:       gateHeartbeat,
		Summary:                "replay the open jobs and the latest closed ones",
	})
	var counts Tally
	err := workflow.ExecuteActivity(ctx, replayJobs, closed).Get(ctx, &counts)
	if breaks, ok := errors.AsType[*temporal.ApplicationError](err); ok && breaks.Type() == FailureBreaks {
		var broken BreakError
		if err := breaks.Details(&broken); err != nil {
			return counts, err
		}
		return counts, temporal.NewNonRetryableApplicationError(breaks.Message(), FailureBreaks, nil, broken)
	}
	return counts, err
}

// ReplayJobs replays the open jobs of the gate's task queue and the latest closed
// ones. An incomplete check is an error that Temporal retries from the beginning.
func (g Gate) ReplayJobs(ctx context.Context, closed int) (Tally, error) {
	counts, err := Check(ctx, g.Temporal, Selection{Closed: closed, TaskQueue: g.TaskQueue}, g.Options, func(counts Tally) {
		activity.RecordHeartbeat(ctx, counts)
	})
	if broken, ok := errors.AsType[*BreakError](err); ok {
		return counts, temporal.NewNonRetryableApplicationError(broken.Error(), FailureBreaks, nil, broken)
	}
	return counts, err
}
