// Package replay holds the histories of jobs against the workflows of this
// build: a history that this build can't follow is a job that would get stuck
// after a deploy. It also writes histories as text, one event a line, for people
// to read. It only reads from Temporal.
package replay

import (
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
)

// limit bounds one replay, which takes milliseconds. The SDK's own limit, a
// second for one step, would call a busy machine a broken job.
const limit = time.Minute

// Options say what histories are held against and how they are read. The zero
// value works.
type Options struct {
	// Register adds the workflows; nil means those of this build.
	Register func(worker.WorkflowRegistry)
	// Codec decrypts the histories that Check reads.
	Codec codec.Codec
}

// BreakError means that a job would get stuck, or end otherwise, if this build
// took it over.
type BreakError struct {
	// WorkflowID and RunID name the job; they are empty if its history doesn't.
	WorkflowID, RunID string
	// Reason is where the history and this build part, in one line.
	Reason string
	cause  error
}

func (e *BreakError) Error() string {
	return fmt.Sprintf("job %s would break: %s", e.WorkflowID, e.Reason)
}

func (e *BreakError) Unwrap() error { return e.cause }

// Replay runs this build's workflow along a history. It returns nil if the
// build decides at every point what the history says was decided, and ends as
// the job ended; what exactly a job returns, or its activities are asked, is not
// compared. Otherwise it returns a *BreakError, or the error of ctx.
//
// The history of an open job may end anywhere: what no build has answered yet
// is left out, and a job for which nothing was decided yet can't break.
func Replay(ctx context.Context, history *historypb.History, options Options) error {
	events, end := decided(history.GetEvents())
	if len(events) == 0 {
		return nil
	}
	started := events[0].GetWorkflowExecutionStartedEventAttributes()
	broken := &BreakError{WorkflowID: started.GetWorkflowId(), RunID: started.GetOriginalExecutionRunId()}

	var seen ending
	replayer, err := options.replayer(&seen)
	if err != nil {
		return fmt.Errorf("replay: %w", err)
	}
	done := make(chan error, 1)
	go func() {
		done <- replayer.ReplayWorkflowHistoryWithOptions(log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
			&historypb.History{Events: events},
			worker.ReplayWorkflowHistoryOptions{OriginalExecution: workflow.Execution{ID: broken.WorkflowID, RunID: broken.RunID}})
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case broken.cause = <-done:
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		broken.cause = errors.New("this build does not come to an end with its history")
	}
	if broken.cause == nil || otherResult.MatchString(broken.cause.Error()) {
		broken.cause = seen.compare(end)
	}
	if broken.cause == nil {
		return nil
	}
	broken.Reason = inWords(broken.cause, events)
	return broken
}

func (o Options) replayer(seen *ending) (worker.WorkflowReplayer, error) {
	replayer, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{
		Interceptors:                []interceptor.WorkerInterceptor{seen},
		DisableRegistrationAliasing: true,
		DisableDeadlockDetection:    true,
	})
	if err != nil {
		return nil, err
	}
	register := o.Register
	if register == nil {
		register = workflows.Register
	}
	register(replayer)
	return replayer, nil
}
