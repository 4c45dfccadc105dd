package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"lumaflow/internal/paid/runs"
)

const (
	// EvidenceSignal is the name of the signal that carries the Evidence of an
	// attempt which Temporal has given up.
	EvidenceSignal = "evidence"
	// IntentSignal is the name of the signal that carries the Evidence of a submission
	// that is about to send. Heartbeats can be reset and are lost with the run; a
	// signal is history, which no command on an activity erases and which a reset
	// applies again.
	IntentSignal = "intent"
)

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
	// Intent identifies the intent of the activity's attempts, Declared means that the
	// history of the run has it.
	Intent   string `json:"intent,omitempty"`
	Declared bool   `json:"declared,omitempty"`
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
// signal. If the job is over, another job collects the task.
func (t *attempt) storeOutcome(ctx context.Context, phase Phase, taskID string) {
	t.evidence.Phase, t.evidence.TaskID = phase, taskID
	stopping := activity.GetWorkerStopChannel(ctx)
	logged := false
	for pause := minStoreBackoff; ; pause = min(2*pause, maxStoreBackoff) {
		err := t.recordBounded(ctx)
		if runs.NotFound(err) {
			err = t.deliver(ctx)
		}
		if err == nil || requestsEnd(err) {
			return
		}
		if !logged {
			// This process alone has the outcome now, and may be killed.
			t.logLostOutcome(ctx, err)
			logged = true
		}
		select {
		case <-time.After(pause):
		case <-stopping:
			return
		}
	}
}

// requestsEnd reports whether the error only ends the attempt, because an operator
// cancelled, paused or reset it: Temporal has stored the evidence.
func requestsEnd(err error) bool {
	return temporal.IsCanceledError(err) || errors.Is(err, activity.ErrActivityPaused) || errors.Is(err, activity.ErrActivityReset)
}

// logLostOutcome logs an outcome that is stored nowhere else yet.
func (t *attempt) logLostOutcome(ctx context.Context, err error) {
	logger := activity.GetLogger(ctx)
	if t.evidence.Phase == PhaseAccepted {
		logger.Error("kie.ai accepted a task but Temporal has not stored its id; it is sent again until the worker stops; if the job does not show it then, adopt it",
			"taskId", t.evidence.TaskID, "error", err)
		return
	}
	logger.Warn("Temporal has not stored that a submission left nothing open", "error", err)
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
	at := t.options.Now()
	heartbeat := client.RecordActivityHeartbeatOptions{
		TaskToken: t.info.TaskToken, Details: []any{t.evidence},
		// The job that the evidence is encrypted for.
		Namespace: t.info.Namespace, WorkflowID: t.info.WorkflowExecution.ID,
	}
	if err := t.options.Recorder.RecordActivityHeartbeatWithOptions(ctx, heartbeat); err != nil {
		return fmt.Errorf("record evidence %q for %s: %w", t.evidence.Phase, t.info.WorkflowExecution.ID, err)
	}
	t.fresh.renew(at)
	return nil
}

// deliver passes the outcome of a given-up attempt on: to its run, else to the
// latest run of the job, else to the collector of late tasks.
func (t *attempt) deliver(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	job := t.info.WorkflowExecution
	for _, runID := range []string{job.RunID, ""} {
		err := t.signal(ctx, runID, EvidenceSignal)
		if !runs.NotFound(err) {
			return err
		}
	}
	if t.evidence.Phase != PhaseAccepted {
		return nil
	}
	outcome, err := t.options.Collector.Collect(ctx, job.ID, t.evidence.TaskID)
	if err != nil {
		return fmt.Errorf("collect task %s of %s: %w", t.evidence.TaskID, job.ID, err)
	}
	activity.GetLogger(ctx).Warn("kie.ai accepted a task after its job was over", "taskId", t.evidence.TaskID, "outcome", string(outcome))
	return nil
}

// signal sends the evidence to a run of the job, or to the latest if runID is
// empty.
func (t *attempt) signal(ctx context.Context, runID, name string) error {
	job := t.info.WorkflowExecution
	if err := t.options.Recorder.SignalWorkflow(ctx, job.ID, runID, name, t.evidence); err != nil {
		return fmt.Errorf("signal %s %q to %s: %w", name, t.evidence.Phase, job.ID, err)
	}
	return nil
}
