package webhook

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"go.temporal.io/sdk/client"

	"lumaflow/internal/kie"
	"lumaflow/workflows/signals"
)

// Signaler signals callbacks to jobs.
type Signaler interface {
	// SignalCallback returns nil once Temporal has stored the signal, and an
	// error that wraps a *serviceerror.NotFound if no job of that id is running.
	// It returns when ctx ends.
	SignalCallback(ctx context.Context, workflowID string, cb signals.CallbackPayload) error
}

// NewSignaler returns the Signaler of a Temporal client.
func NewSignaler(temporal client.Client) Signaler { return signaler{temporal} }

type signaler struct{ temporal client.Client }

// SignalCallback implements Signaler.
func (s signaler) SignalCallback(ctx context.Context, workflowID string, cb signals.CallbackPayload) error {
	call, cancel := withoutDeadline(ctx)
	defer cancel()
	err := signals.Callback.Send(call, s.temporal, workflowID, cb)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("signal callback to %s: %w", workflowID, context.Cause(ctx))
	}
	return err
}

// withoutDeadline hides the deadline of ctx from the SDK, which would use only half
// of the remaining time for a call. The result is cancelled when ctx ends.
func withoutDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	call, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, cancel)
	return call, func() {
		stop()
		cancel()
	}
}

// Bounds of a signal's payload.
const (
	maxMessageBytes = 500
	maxURLs         = 16
	maxURLBytes     = 2048
)

// payload returns the signal for a callback. Its size is bounded, since kie.ai
// documents a signature over task id and timestamp, not over the body, and the
// token is removed, since the body may quote the callback URL.
func payload(d delivery, decoded kie.Callback) signals.CallbackPayload {
	cb := signals.CallbackPayload{
		TaskID: d.taskID,
		Code:   decoded.Code,
		Msg:    truncate(d.withoutToken(decoded.Message), maxMessageBytes),
	}
	if decoded.Code != http.StatusOK {
		return cb
	}
	for _, link := range decoded.ResultURLs {
		if len(link) <= maxURLBytes && len(cb.ResultURLs) < maxURLs && !strings.Contains(link, d.token) {
			cb.ResultURLs = append(cb.ResultURLs, link)
		}
	}
	return cb
}
