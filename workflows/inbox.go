package workflows

import (
	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
)

// inbox receives the signals of a job. A signal that interrupts a submission is
// deferred: it is processed before the next one.
type inbox struct {
	callbacks SignalChannel[Callback]
	evidence  SignalChannel[activities.Evidence]
	// callbackCount counts the callbacks received, useful or not.
	callbackCount     int
	deferredCallbacks []Callback
	deferredEvidence  []activities.Evidence
}

func newInbox(ctx workflow.Context) inbox {
	return inbox{callbacks: CallbackSignal.Channel(ctx), evidence: EvidenceSignal.Channel(ctx)}
}

// onCallback has selector pass the next callback to receive.
func (i *inbox) onCallback(ctx workflow.Context, selector workflow.Selector, receive func(Callback)) {
	i.callbacks.AddTo(ctx, selector, func(callback Callback) {
		i.callbackCount++
		receive(callback)
	})
}

// onEvidence has selector pass the next late evidence to receive.
func (i *inbox) onEvidence(ctx workflow.Context, selector workflow.Selector, receive func(activities.Evidence)) {
	i.evidence.AddTo(ctx, selector, receive)
}

// tryCallback returns a callback that is in the channel; it does not block.
func (i *inbox) tryCallback() (Callback, bool) {
	callback, ok := i.callbacks.TryReceive()
	if ok {
		i.callbackCount++
	}
	return callback, ok
}

// nextCallback returns a deferred callback or one that is in the channel; it
// does not block.
func (i *inbox) nextCallback() (Callback, bool) {
	if len(i.deferredCallbacks) == 0 {
		return i.tryCallback()
	}
	callback := i.deferredCallbacks[0]
	i.deferredCallbacks = i.deferredCallbacks[1:]
	return callback, true
}

// nextEvidence returns deferred evidence or evidence that is in the channel; it
// does not block.
func (i *inbox) nextEvidence() (activities.Evidence, bool) {
	if len(i.deferredEvidence) == 0 {
		return i.evidence.TryReceive()
	}
	evidence := i.deferredEvidence[0]
	i.deferredEvidence = i.deferredEvidence[1:]
	return evidence, true
}

func (i *inbox) deferCallbacks(callbacks ...Callback) {
	i.deferredCallbacks = append(i.deferredCallbacks, callbacks...)
}

func (i *inbox) deferEvidence(evidence activities.Evidence) {
	i.deferredEvidence = append(i.deferredEvidence, evidence)
}
