package webhook

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"go.temporal.io/sdk/client"

	"lumaflow/internal/kie"
	"lumaflow/workflows"
)

// Signaler passes a callback on to its job.
type Signaler interface {
	// SignalCallback returns nil once Temporal has stored the signal and an
	// error that is a *serviceerror.NotFound if no job with that id is running.
	// It gives up when ctx ends.
	SignalCallback(ctx context.Context, workflowID string, cb workflows.Callback) error
}

// Through is the Signaler of a Temporal client.
func Through(temporal client.Client) Signaler { return signaler{temporal} }

type signaler struct{ temporal client.Client }

// SignalCallback keeps the deadline from the SDK, which would give up after
// half of the time that is left, and cancels the call when it comes.
func (s signaler) SignalCallback(ctx context.Context, workflowID string, cb workflows.Callback) error {
	call, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	err := workflows.CallbackSignal.Send(call, s.temporal, workflowID, cb)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("signal callback to %s: %w", workflowID, context.Cause(ctx))
	}
	return err
}

// What a signal may carry of what the callback said.
const (
	maxMessage  = 500 // bytes
	maxURLs     = 16
	maxURLBytes = 2048
)

// hint makes the signal of a callback. The body is not signed, so it is kept
// small, and it may quote the job's callback URL, so the token is taken out.
func hint(d delivery, decoded kie.Callback) workflows.Callback {
	cb := workflows.Callback{
		TaskID: d.taskID,
		Code:   decoded.Code,
		Msg:    clip(d.withoutToken(decoded.Message), maxMessage),
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
