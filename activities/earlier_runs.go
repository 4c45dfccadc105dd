package activities

import (
	"context"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"

	"lumaflow/internal/paid/runs"
)

const (
	// earlierRunsMargin is the time that an attempt reserves to store its progress, or
	// half of its time if a short run timeout leaves less. earlierRunsPause precedes the
	// next attempt then.
	earlierRunsMargin = 10 * time.Second
	earlierRunsPause  = time.Second
)

// Earlier is what the earlier runs of a job have paid.
type Earlier struct {
	runs.Earlier
	Settings Settings `json:"settings"`
}

// EarlierRuns reads what the other runs of the chain have paid: those that this run
// retries or continues, and those that it was reset from. It pays nothing. Its
// errors are retryable. A job may have thousands of runs: the heartbeat holds the
// progress, and the next attempt continues from it.
func (a *Activities) EarlierRuns(ctx context.Context) (Earlier, error) {
	info := activity.GetInfo(ctx)
	var read progressKeeper
	// Details that can't be decoded cost a new beginning.
	_ = activity.GetHeartbeatDetails(ctx, &read.latest)
	margin := min(earlierRunsMargin, time.Until(info.Deadline)/2)
	reading, cancel := context.WithDeadline(ctx, info.Deadline.Add(-margin))
	defer cancel()
	found, err := withTicker(quietInterval, func() { read.record(ctx) }, func() (runs.Earlier, error) {
		return a.options.Runs.Earlier(reading, info.WorkflowExecution.ID, info.WorkflowExecution.RunID, read.latest, read.keep)
	})
	if err == nil {
		return Earlier{Earlier: found, Settings: a.settings(ctx, "", true)}, nil
	}
	read.record(ctx)
	pause := time.Duration(0)
	if reading.Err() != nil && ctx.Err() == nil {
		pause = earlierRunsPause
	}
	return Earlier{}, retryable(ProviderUnavailable, "read the earlier runs of the job", err, pause)
}

// progressKeeper holds the progress of an attempt. It is safe for concurrent use.
type progressKeeper struct {
	mu     sync.Mutex
	latest runs.Progress
}

func (k *progressKeeper) keep(progress runs.Progress) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.latest = progress
}

// record sends the progress as the heartbeat.
func (k *progressKeeper) record(ctx context.Context) {
	k.mu.Lock()
	defer k.mu.Unlock()
	activity.RecordHeartbeat(ctx, k.latest)
}
