// Package replay replays the histories of jobs against the workflows of this
// build: a job with a history that this build can't replay would get stuck after
// a deploy. It only reads from Temporal.
package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"lumaflow/internal/temporal/codec"
	"lumaflow/workflows"
	"lumaflow/workflows/batches"
)

// replayTimeout bounds one replay, which takes milliseconds. The SDK's own limit of
// one second for a workflow task would report a busy machine as a broken job.
const replayTimeout = time.Minute

// Options select the workflow code and decrypt histories. The zero value works.
type Options struct {
	// Register registers the workflows; nil means those of this build.
	Register func(worker.WorkflowRegistry)
	// Codec decrypts the histories that Check reads, of the jobs of Namespace.
	Codec     codec.Codec
	Namespace string
}

// BreakError means that a job would get stuck, or end in another way, under this
// build.
type BreakError struct {
	// WorkflowID and RunID name the job; they are empty if its history has no ids.
	WorkflowID string `json:"workflowId"`
	RunID      string `json:"runId"`
	// Reason is the difference of the history and this build in one line.
	Reason string `json:"reason"`
	cause  error
}

func (e *BreakError) Error() string {
	return fmt.Sprintf("job %s would break: %s", e.WorkflowID, e.Reason)
}

func (e *BreakError) Unwrap() error { return e.cause }

// Replay runs this build's workflow against a history. It returns nil if the build
// issues the recorded commands in their order and ends as the job ended; results
// and activity inputs are not compared. Otherwise it returns a *BreakError, or
// the error of ctx.
//
// The history of an open job may end anywhere: events after the commands of the
// last completed workflow task are ignored, and a job without a completed
// workflow task can't break.
func Replay(ctx context.Context, history *historypb.History, options Options) error {
	events, end := decided(history.GetEvents())
	if len(events) == 0 {
		return nil
	}
	started := events[0].GetWorkflowExecutionStartedEventAttributes()
	broken := &BreakError{WorkflowID: started.GetWorkflowId(), RunID: runID(events)}

	var observed ending
	replayer, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{
		Interceptors:                []interceptor.WorkerInterceptor{&observed},
		DisableRegistrationAliasing: true,
		DisableDeadlockDetection:    true,
	})
	if err != nil {
		return fmt.Errorf("replay: %w", err)
	}
	if options.Register == nil {
		options.Register = func(registry worker.WorkflowRegistry) {
			workflows.Register(registry, nil)
			batches.Register(registry)
		}
	}
	options.Register(replayer)
	done := make(chan error, 1)
	go func() {
		done <- replayer.ReplayWorkflowHistoryWithOptions(log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
			&historypb.History{Events: events},
			worker.ReplayWorkflowHistoryOptions{OriginalExecution: workflow.Execution{ID: broken.WorkflowID, RunID: broken.RunID}})
	}()
	select {
	case broken.cause = <-done:
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(replayTimeout):
		broken.cause = errors.New("the replay of its history with this build does not end")
	}
	if broken.cause == nil || otherResult.MatchString(broken.cause.Error()) {
		broken.cause = observed.compare(end)
	}
	if broken.cause == nil {
		return nil
	}
	broken.Reason = explain(broken.cause, events)
	return broken
}

// runID returns the run that a history is of. A reset copies the first events of
// another run, so that the last reset names the run and the start does not.
func runID(events []*historypb.HistoryEvent) (id string) {
	for _, event := range events {
		id = cmp.Or(event.GetWorkflowTaskFailedEventAttributes().GetNewRunId(), event.GetWorkflowExecutionStartedEventAttributes().GetOriginalExecutionRunId(), id)
	}
	return id
}
