package workflows

import (
	"context"
	"fmt"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/workflow"
)

// Signal binds a signal's name to the type of its payload: the compiler checks
// that sender and receiver agree.
type Signal[T any] struct {
	Name        string
	Description string
}

// Send delivers the signal to the open run of a workflow. A nil error means
// that Temporal has stored it.
func (s Signal[T]) Send(ctx context.Context, c client.Client, workflowID string, payload T) error {
	if err := c.SignalWorkflow(ctx, workflowID, "", s.Name, payload); err != nil {
		return fmt.Errorf("signal %s to %s: %w", s.Name, workflowID, err)
	}
	return nil
}

// Channel returns the receiving end in a workflow. It buffers the signals that
// arrived before the call.
func (s Signal[T]) Channel(ctx workflow.Context) SignalChannel[T] {
	return SignalChannel[T]{workflow.GetSignalChannelWithOptions(ctx, s.Name,
		workflow.SignalChannelOptions{Description: s.Description})}
}

// SignalChannel receives the payloads of one signal.
type SignalChannel[T any] struct{ channel workflow.ReceiveChannel }

// AddTo has selector call receive with the next payload.
func (c SignalChannel[T]) AddTo(ctx workflow.Context, selector workflow.Selector, receive func(T)) {
	selector.AddReceive(c.channel, func(channel workflow.ReceiveChannel, _ bool) {
		var payload T
		channel.Receive(ctx, &payload)
		receive(payload)
	})
}

// TryReceive returns a buffered payload; it does not block.
func (c SignalChannel[T]) TryReceive() (payload T, ok bool) {
	ok = c.channel.ReceiveAsync(&payload)
	return payload, ok
}
