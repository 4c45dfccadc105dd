package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
)

// EvidenceSignal is the name of the signal that carries the Evidence of an
// attempt which Temporal has given up.
const EvidenceSignal = "evidence"

// Phase is the progress of an attempt to submit.
type Phase string

const (
	// PhaseSending is stored before the first byte goes out. As the last evidence
	// of a dead attempt it means that a task may or may not exist.
	PhaseSending Phase = "sending"
	// PhaseAccepted is stored with the task id as soon as that is read.
	PhaseAccepted Phase = "accepted"
	// PhaseRefused is stored when the attempt left nothing open: kie.ai refused
	// it or it was never sent.
	PhaseRefused Phase = "refused"
)

// Evidence is stored on the Temporal server by each attempt to submit. When a
// worker dies, the timeout of its attempt carries the last evidence, which
// decides whether sending again is safe. Absent evidence proves that nothing was
// sent.
type Evidence struct {
	Phase Phase `json:"phase"`
	// TaskID is the accepted task; with PhaseSending it is one that an unclear
	// answer named, for an operator to check.
	TaskID string `json:"taskId,omitempty"`
	// At is the time at which the attempt began to send.
	At time.Time `json:"at"`
	// Attempts counts the submissions of the job so far.
	Attempts int      `json:"attempts"`
	Settings Settings `json:"settings"`
}

// Submitted returns the task that evidence of PhaseAccepted proves.
func (e Evidence) Submitted() Submitted {
	return Submitted{TaskID: e.TaskID, SubmittedAt: e.At, Attempts: e.Attempts, Settings: e.Settings}
}

const (
	// storeTimeout bounds one request that stores evidence.
	storeTimeout = 10 * time.Second
	// minStoreBackoff and maxStoreBackoff bound the pauses between the requests.
	minStoreBackoff, maxStoreBackoff = 100 * time.Millisecond, 10 * time.Second
)

// storeOutcome stores the outcome of the submission. Until then only this worker
// has it, so it retries while Temporal is unavailable and the worker does not
// stop. If Temporal has given the attempt up, the outcome goes to the job as a
// signal.
func (t *attempt) storeOutcome(ctx context.Context, phase Phase, taskID string) {
	t.evidence.Phase, t.evidence.TaskID = phase, taskID
	stopping := activity.GetWorkerStopChannel(ctx)
	for pause := minStoreBackoff; ; pause = min(2*pause, maxStoreBackoff) {
		err := t.recordBounded(ctx)
		if isNotFound(err) {
			err = t.signal(ctx)
		}
		switch {
		case err == nil, requestsEnd(err):
			return
		case isNotFound(err):
			t.logLostOutcome(ctx, err)
			return
		}
		select {
		case <-time.After(pause):
		case <-stopping:
			t.logLostOutcome(ctx, err)
			return
		}
	}
}

// requestsEnd reports whether the error only ends the attempt, because an operator
// cancelled, paused or reset it: Temporal has stored the evidence.
func requestsEnd(err error) bool {
	return temporal.IsCanceledError(err) || errors.Is(err, activity.ErrActivityPaused) || errors.Is(err, activity.ErrActivityReset)
}

// logLostOutcome logs an outcome that could be stored nowhere else.
func (t *attempt) logLostOutcome(ctx context.Context, err error) {
	logger := activity.GetLogger(ctx)
	if t.evidence.Phase == PhaseAccepted {
		logger.Error("kie.ai accepted a task but Temporal did not store its id; if the job does not show it, adopt it",
			"taskId", t.evidence.TaskID, "error", err)
		return
	}
	logger.Warn("Temporal did not store that a submission left nothing open", "error", err)
}

// recordBounded is record without the cancellation of ctx and with a timeout.
func (t *attempt) recordBounded(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	return t.record(ctx)
}

// record stores the evidence as the attempt's heartbeat. It returns NotFound if
// Temporal has given the attempt up.
func (t *attempt) record(ctx context.Context) error {
	if err := t.options.Recorder.RecordActivityHeartbeat(ctx, t.info.TaskToken, t.evidence); err != nil {
		return fmt.Errorf("record evidence %q for %s: %w", t.evidence.Phase, t.info.WorkflowExecution.ID, err)
	}
	return nil
}

func (t *attempt) signal(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	job := t.info.WorkflowExecution
	if err := t.options.Recorder.SignalWorkflow(ctx, job.ID, job.RunID, EvidenceSignal, t.evidence); err != nil {
		return fmt.Errorf("signal evidence %q to %s: %w", t.evidence.Phase, job.ID, err)
	}
	return nil
}

func isNotFound(err error) bool {
	var notFound *serviceerror.NotFound
	return errors.As(err, &notFound)
}
