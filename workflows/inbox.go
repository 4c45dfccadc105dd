package workflows

import (
	"go.temporal.io/sdk/workflow"

	"lumaflow/workflows/signals"
)

// inbox receives the payloads of one signal. A signal that interrupts a submission
// is deferred: it is processed before the next one.
type inbox[T any] struct {
	channel workflow.ReceiveChannel
	// received counts the signals received, useful or not.
	received int
	deferred []T
}

func newInbox[T any](ctx workflow.Context, signal signals.Signal[T]) inbox[T] {
	return inbox[T]{channel: signal.Channel(ctx)}
}

// addTo has selector pass the next signal to receive.
func (i *inbox[T]) addTo(ctx workflow.Context, selector workflow.Selector, receive func(T)) {
	selector.AddReceive(i.channel, func(channel workflow.ReceiveChannel, _ bool) {
		var payload T
		channel.Receive(ctx, &payload)
		i.received++
		receive(payload)
	})
}

// try returns a signal that is in the channel; it does not block.
func (i *inbox[T]) try() (payload T, ok bool) {
	if ok = i.channel.ReceiveAsync(&payload); ok {
		i.received++
	}
	return payload, ok
}

// next returns a deferred signal or one that is in the channel; it does not block.
func (i *inbox[T]) next() (payload T, ok bool) {
	if len(i.deferred) == 0 {
		return i.try()
	}
	payload, i.deferred = i.deferred[0], i.deferred[1:]
	return payload, true
}

// deferFrom has selector defer the next signal and then call received.
func (i *inbox[T]) deferFrom(ctx workflow.Context, selector workflow.Selector, received func()) {
	i.addTo(ctx, selector, func(payload T) {
		i.deferred = append(i.deferred, payload)
		received()
	})
}
