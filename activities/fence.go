package activities

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"lumaflow/internal/kie"
	"lumaflow/internal/paid/runs"
)

const (
	// declareTimeout bounds the wait until an intent is readable, well inside the
	// heartbeat timeout. Temporal buffers a signal while a workflow task runs; the
	// next attempt reads one that took longer.
	declareTimeout = 10 * time.Second
	// declarePause is the pause between two reads.
	declarePause = 100 * time.Millisecond
	// fenceLifetime is the age at which a stored heartbeat no longer proves that the
	// attempt is the server's. It is well inside the heartbeat timeout of the
	// workflow's submission policy.
	fenceLifetime = 5 * time.Second
)

// errDeclared means that another attempt of the same activity has declared its
// intent, and that its evidence is erased.
var errDeclared = errors.New("an earlier attempt began to send and its evidence was reset")

// fence stores on the server that this attempt is about to send. Without that
// record nothing may be sent: a worker that dies from here on leaves evidence,
// and an attempt that timed out while its process was suspended gets NotFound and
// sends nothing.
func (t *attempt) fence(ctx context.Context) error {
	t.evidence.Phase, t.evidence.At = PhaseSending, t.options.Now()
	t.evidence.Attempts++
	bounded, cancel := context.WithTimeout(ctx, SubmissionTimeout)
	defer cancel()
	err := t.record(bounded)
	if err == nil {
		err = t.declare(bounded)
	}
	if err == nil {
		return nil
	}
	if errors.Is(err, errDeclared) {
		return permanent(SubmitUnknown, "no usable answer", err, t.evidence)
	}
	// The server may have stored the evidence despite the error (a cancelled or
	// paused job, a lost answer), so it is revoked.
	t.evidence.Attempts--
	t.storeOutcome(ctx, PhaseRefused, "")
	if runs.NotFound(err) {
		return fmt.Errorf("submit for %s: the attempt was given up before it sent anything: %w", t.info.WorkflowExecution.ID, err)
	}
	if temporal.IsCanceledError(err) {
		return err
	}
	return t.notSent(err)
}

// declare writes the intent to send into the history of the run and reads it back.
// An attempt whose evidence was reset has the attempt number, hence the heartbeats,
// of one that may still run; the first intent in the history is the one that may
// send. The retries of one activity share its intent, so that a long hold adds no
// history.
func (t *attempt) declare(ctx context.Context) error {
	if t.evidence.Declared || t.input.Run == "" {
		return nil
	}
	if t.evidence.Intent == "" {
		t.evidence.Intent = rand.Text()
	}
	ctx, cancel := context.WithTimeout(ctx, declareTimeout)
	defer cancel()
	// An earlier attempt may have signalled it and not read it back.
	found, err := t.readIntent(ctx)
	if err == nil && !found {
		err = t.signal(ctx, t.info.WorkflowExecution.RunID, IntentSignal)
	}
	for err == nil && !found {
		if found, err = t.readIntent(ctx); err != nil || found {
			break
		}
		select {
		case <-time.After(declarePause):
		case <-ctx.Done():
			err = fmt.Errorf("the intent of %s is not readable: %w", t.info.WorkflowExecution.ID, context.Cause(ctx))
		}
	}
	t.evidence.Declared = err == nil
	return err
}

// readIntent reports whether the history has the intent of this activity as the
// first. It returns errDeclared if another attempt's is the first.
func (t *attempt) readIntent(ctx context.Context) (found bool, err error) {
	job := t.info.WorkflowExecution
	intents, err := t.options.Runs.Intents(ctx, job.ID, job.RunID, t.info.ActivityID)
	switch {
	case err != nil:
		return false, fmt.Errorf("read the intents of %s: %w", job.ID, err)
	case len(intents) == 0:
		return false, nil
	case intents[0].ID == t.evidence.Intent:
		return true, nil
	}
	first := intents[0]
	t.evidence.At, t.evidence.Attempts, t.evidence.Intent = first.At, max(first.Attempts, 1), first.ID
	return false, errDeclared
}

// permit allows the first byte of the request only while the attempt is the
// server's: the connection may take as long as its timeouts, and the process may be
// suspended.
func (t *attempt) permit(ctx context.Context) error {
	if err := t.fresh.lost(); err != nil {
		return err
	}
	if t.fresh.within(fenceLifetime, t.options.Now()) {
		return nil
	}
	return t.recordBounded(ctx)
}

// freshness is the age of the last heartbeat that the server accepted. It is safe
// for concurrent use.
type freshness struct {
	mu sync.Mutex
	at time.Time
	// gone is the error of a heartbeat that the server rejected, or answered with a
	// cancel, pause or reset.
	gone error
}

func (f *freshness) renew(at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at = at
}

func (f *freshness) lose(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gone = err
}

func (f *freshness) lost() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.gone
}

// within compares by the wall clock and by the monotonic clock: a suspended machine
// stops the second.
func (f *freshness) within(lifetime time.Duration, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return now.Sub(f.at) < lifetime && now.Round(0).Sub(f.at.Round(0)) < lifetime
}

// send makes the request and refreshes the evidence while it runs.
func (t *attempt) send(ctx context.Context) (string, error) {
	// A cancelled job or a stopping worker must not break a request that may
	// already be charged: only its own time limit ends it.
	sending, cancel := context.WithTimeout(context.WithoutCancel(ctx), SubmissionTimeout)
	defer cancel()
	request := t.request
	request.Permit = func() error { return t.permit(ctx) }
	if t.options.Callbacks != nil {
		request.CallbackURL = t.options.Callbacks.BrandURL(kie.Brand(t.input.Model), t.info.Namespace, t.info.WorkflowExecution.ID)
	}
	refresh := func() {
		err := t.recordBounded(ctx)
		if runs.NotFound(err) || requestsEnd(err) {
			t.fresh.lose(err)
		}
		if err != nil {
			activity.GetLogger(ctx).Warn("could not refresh the evidence of a submission in flight", "error", err)
		}
	}
	return withTicker(evidenceInterval, refresh, func() (string, error) {
		return t.options.Provider.Submit(sending, request)
	})
}
