package fetch

import (
	"context"
	"time"
)

// watchdog cancels a request when nothing has arrived for its patience.
type watchdog struct {
	ctx      context.Context
	cancel   context.CancelCauseFunc
	timer    *time.Timer
	patience time.Duration
}

func newWatchdog(ctx context.Context, patience time.Duration) (context.Context, *watchdog) {
	ctx, cancel := context.WithCancelCause(ctx)
	return ctx, &watchdog{
		ctx:      ctx,
		cancel:   cancel,
		timer:    time.AfterFunc(patience, func() { cancel(errStalled) }),
		patience: patience,
	}
}

// progress starts the wait anew.
func (w *watchdog) progress() { w.timer.Reset(w.patience) }

func (w *watchdog) stop() {
	w.timer.Stop()
	w.cancel(nil)
}

// explain puts the reason why a request was canceled in place of whatever the
// network made of that.
func explain(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}
