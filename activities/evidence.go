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

// EvidenceSignal is the name of the signal that brings the Evidence of an
// attempt that Temporal had given up.
const EvidenceSignal = "evidence"

// Phase says how far an attempt to submit has come.
type Phase string

const (
	// PhaseSending is stored before the first byte goes out. If it is the last
	// word of a dead attempt, a task may or may not exist.
	PhaseSending Phase = "sending"
	// PhaseAccepted is stored with the task id the moment it is read.
	PhaseAccepted Phase = "accepted"
	// PhaseRefused is stored when the attempt left nothing open: kie.ai refused
	// it or it was never sent.
	PhaseRefused Phase = "refused"
)

// Evidence is what an attempt to submit leaves on the Temporal server as it
// goes. When a worker dies, the timeout of its attempt brings the last evidence
// along, and it decides whether sending again is safe. No evidence at all
// proves that nothing was sent.
type Evidence struct {
	Phase Phase `json:"phase"`
	// TaskID is the accepted task; with PhaseSending it is one that an unclear
	// answer named, for an operator to look at.
	TaskID string `json:"taskId,omitempty"`
	// At is when the attempt began to send.
	At time.Time `json:"at"`
	// Attempts counts the submissions of the job so far.
	Attempts int      `json:"attempts"`
	Settings Settings `json:"settings"`
}

// Submitted is the task that the evidence of PhaseAccepted proves.
func (e Evidence) Submitted() Submitted {
	return Submitted{TaskID: e.TaskID, SubmittedAt: e.At, Attempts: e.Attempts, Settings: e.Settings}
}

const (
	// recordTimeout bounds one try to have Temporal take evidence.
	recordTimeout = 10 * time.Second
	// firstPause and longestPause lie between the tries.
	firstPause, longestPause = 100 * time.Millisecond, 10 * time.Second
)

// settle stores what became of the submission. Until that is done only this
// worker knows, so it goes on for as long as Temporal is away and the worker
// is not told to stop. If Temporal gave the attempt up meanwhile, the job
// itself is told.
func (t *attempt) settle(ctx context.Context, phase Phase, taskID string) {
	t.evidence.Phase, t.evidence.TaskID = phase, taskID
	stopping := activity.GetWorkerStopChannel(ctx)
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := t.recordSoon(ctx)
		if isNotFound(err) {
			err = t.signalSoon(ctx)
		}
		switch {
		case err == nil, taken(err):
			return
		case isNotFound(err):
			t.unsettled(ctx, err)
			return
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-stopping:
			timer.Stop()
			t.unsettled(ctx, err)
			return
		}
	}
}

// taken says that Temporal stored the evidence although it wants the attempt to
// end: somebody cancelled, paused or reset it.
func taken(err error) bool {
	return temporal.IsCanceledError(err) || errors.Is(err, activity.ErrActivityPaused) || errors.Is(err, activity.ErrActivityReset)
}

// unsettled is the last word of a worker that can tell nobody else.
func (t *attempt) unsettled(ctx context.Context, err error) {
	log := activity.GetLogger(ctx)
	if t.evidence.Phase == PhaseAccepted {
		log.Error("kie.ai accepted a task but temporal did not take its id; if the job does not show it, adopt it",
			"taskId", t.evidence.TaskID, "error", err)
		return
	}
	log.Warn("temporal did not take that a submission left nothing open", "error", err)
}

func (t *attempt) recordSoon(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	return t.record(ctx)
}

// record stores the evidence with the attempt. It reports NotFound if Temporal
// has given the attempt up.
func (t *attempt) record(ctx context.Context) error {
	if err := t.Recorder.RecordActivityHeartbeat(ctx, t.info.TaskToken, t.evidence); err != nil {
		return fmt.Errorf("record evidence %q for %s: %w", t.evidence.Phase, t.info.WorkflowExecution.ID, err)
	}
	return nil
}

func (t *attempt) signalSoon(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	job := t.info.WorkflowExecution
	if err := t.Recorder.SignalWorkflow(ctx, job.ID, job.RunID, EvidenceSignal, t.evidence); err != nil {
		return fmt.Errorf("signal evidence %q to %s: %w", t.evidence.Phase, job.ID, err)
	}
	return nil
}

func isNotFound(err error) bool {
	var gone *serviceerror.NotFound
	return errors.As(err, &gone)
}
