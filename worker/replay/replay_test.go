package replay_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"lumaflow/worker/replay"
	"lumaflow/workflows"
)

type (
	input  = workflows.ModifyVideoInput
	result = workflows.ModifyVideoResult
)

// coded are options for a build with another ModifyVideo.
func coded(code func(workflow.Context, input) (result, error)) replay.Options {
	return replay.Options{Register: func(registry worker.WorkflowRegistry) {
		registry.RegisterWorkflowWithOptions(code, workflow.RegisterOptions{Name: workflows.ModifyVideoName})
	}}
}

// other is a workflow that begins with another activity.
func other(ctx workflow.Context, _ input) (result result, err error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
	return result, workflow.ExecuteActivity(ctx, "Other").Get(ctx, nil)
}

func TestReasons(t *testing.T) {
	otherEnd := func(err error) func(workflow.Context, input) (result, error) {
		return func(ctx workflow.Context, in input) (result result, _ error) {
			_, _ = workflows.Workflows{}.ModifyVideo(ctx, in)
			return result, err
		}
	}
	tests := []struct {
		name    string
		history string
		// last is the event after which the history is cut; 0 is its own last.
		last enumspb.EventType
		code func(workflow.Context, input) (result, error)
		want string
	}{
		{"another activity", "refused", 0, other, "its history has ActivityTaskScheduled Submit where this build does ScheduleActivityTask Other"},
		{"a timer first", "woken-by-callback", 0, func(ctx workflow.Context, in input) (result, error) {
			// The error is that of a cancelled job.
			_ = workflow.Sleep(ctx, time.Second)
			return workflows.Workflows{}.ModifyVideo(ctx, in)
		}, "its history has ActivityTaskScheduled Submit (event 5), which this build does not do there"},
		{"a timer forgotten", "woken-by-callback", enumspb.EVENT_TYPE_TIMER_STARTED, other, "its history has TimerStarted (event 11), which this build does not do there"},
		{"a cancel ignored", "cancelled-while-polling", enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED, func(ctx workflow.Context, in input) (result, error) {
			ctx, _ = workflow.NewDisconnectedContext(ctx)
			return workflows.Workflows{}.ModifyVideo(ctx, in)
		}, "its history has ActivityTaskCancelRequested, which this build does not do"},
		{"a timer more", "woken-by-callback", enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, func(ctx workflow.Context, in input) (result result, err error) {
			ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
			workflow.ExecuteActivity(ctx, "Submit")
			return result, workflow.Sleep(ctx, time.Second)
		}, "this build does StartTimer, which its history does not have"},
		{"an end too early", "woken-by-callback", enumspb.EVENT_TYPE_TIMER_STARTED, func(ctx workflow.Context, in input) (result result, err error) {
			return result, nil
		}, "its history has ActivityTaskScheduled Submit (event 5), which this build does not do there"},
		{"an end where it continues", "woken-by-callback", enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, func(ctx workflow.Context, _ input) (result result, err error) {
			ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
			workflow.ExecuteActivity(ctx, "Submit")
			return result, nil
		}, "its history continues where this build ends it with WorkflowExecutionCompleted"},
		{"another end of a success", "woken-by-callback", 0, otherEnd(workflow.ErrCanceled),
			"its history ends with WorkflowExecutionCompleted, this build ends it with WorkflowExecutionCanceled"},
		{"another end of a failure", "refused", 0, otherEnd(nil),
			"its history ends with WorkflowExecutionFailed, this build ends it with WorkflowExecutionCompleted"},
		{"another end of a cancelled job", "cancelled-while-waiting", 0, otherEnd(nil),
			"its history ends with WorkflowExecutionCanceled, this build ends it with WorkflowExecutionCompleted"},
		{"a panic", "refused", 0, func(workflow.Context, input) (result, error) { panic("oh\nno") }, "oh no"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			history := recorded(t, test.history)
			if test.last != 0 {
				history = through(t, history, test.last)
			}
			var broken *replay.BreakError
			require.ErrorAs(t, replay.Replay(t.Context(), history, coded(test.code)), &broken)
			require.Equal(t, test.want, broken.Reason)
			require.Equal(t, test.history, broken.WorkflowID)
			require.NotEmpty(t, broken.RunID)
		})
	}
}

func TestUnfinishedHistories(t *testing.T) {
	whole := recorded(t, "woken-by-callback")
	// end appends an event that closes the job from outside.
	end := func(history *historypb.History, kind enumspb.EventType) *historypb.History {
		events := append(history.GetEvents()[:len(history.GetEvents()):len(history.GetEvents())],
			&historypb.HistoryEvent{EventId: int64(len(history.GetEvents()) + 1), EventType: kind})
		return &historypb.History{Events: events}
	}
	tests := map[string]*historypb.History{
		"nothing at all":                                  {},
		"a job before its first workflow task":            upTo(whole, 2),
		"a job in its first workflow task":                upTo(whole, 3),
		"a local activity in progress":                    upTo(whole, len(whole.GetEvents())-2),
		"a job that was terminated":                       end(through(t, whole, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED), enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED),
		"a job terminated before its first workflow task": end(upTo(whole, 2), enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED),
		"a job that ran out of time":                      end(through(t, whole, enumspb.EVENT_TYPE_TIMER_STARTED), enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT),
		"an unhandled cancel request":                     through(t, recorded(t, "cancelled-while-waiting"), enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED),
		"an unhandled evidence signal":                    through(t, recorded(t, "worker-died-while-sending-late-evidence-accepted"), enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED),
	}
	for name, history := range tests {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, replay.Replay(t.Context(), history, replay.Options{}))
		})
	}
}

func TestReplayEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	stuck := make(chan struct{})
	err := replay.Replay(ctx, recorded(t, "refused"), coded(func(workflow.Context, input) (result, error) {
		cancel()
		<-stuck
		return result{}, nil
	}))
	close(stuck)
	require.ErrorIs(t, err, context.Canceled)
}
