// Package stall cancels transfers that make no progress.
package stall

import (
	"context"
	"time"
)

// Watchdog cancels a context when no progress is reported for a period. It
// bounds the silence within a transfer, not the transfer as a whole: a peer that
// sends one byte per period is never canceled.
type Watchdog struct {
	timer  *time.Timer
	period time.Duration
	cancel context.CancelCauseFunc
}

// Watch starts a watchdog. The context that it returns is canceled with the
// cause when Progress has not been called for the period, counted from now.
func Watch(ctx context.Context, period time.Duration, cause error) (context.Context, *Watchdog) {
	ctx, cancel := context.WithCancelCause(ctx)
	return ctx, &Watchdog{time.AfterFunc(period, func() { cancel(cause) }), period, cancel}
}

// Progress restarts the period, also after Pause.
func (w *Watchdog) Progress() { w.timer.Reset(w.period) }

// Pause suspends the watchdog until the next Progress. A period that has ended
// before stays ended.
func (w *Watchdog) Pause() { w.timer.Stop() }

// Stop ends the watchdog and releases the context.
func (w *Watchdog) Stop() {
	w.timer.Stop()
	w.cancel(nil)
}
