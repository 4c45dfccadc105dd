package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"lumaflow/internal/kie"
)

// SubmissionTimeout bounds one paid POST, from the connection to the last byte
// of the answer. Once the request is out, nothing else ends it.
const SubmissionTimeout = 60 * time.Second

// beatInterval keeps a slow submission's evidence fresh, well inside the
// heartbeat timeout of the workflow's submission policy.
const beatInterval = 5 * time.Second

// SubmitInput is one job's submission.
type SubmitInput struct {
	Prompt    string `json:"prompt"`
	VideoURL  string `json:"videoUrl"`
	Watermark string `json:"watermark,omitempty"`
	// Until is when to give up on a provider that can't be reached or holds
	// the job.
	Until time.Time `json:"until"`
	// Expires says that Until is when the uploaded video does, and not the
	// job's deadline.
	Expires bool `json:"expires,omitempty"`
	// Held is the hold that the job already shows. A refusal with the same code
	// is retried by the server alone, so that a long hold adds no history.
	Held *Hold `json:"held,omitempty"`
	// Quiet has every hold retried by the server, shown or not.
	Quiet bool `json:"quiet,omitempty"`
	// Attempts counts the submissions that the job made before.
	Attempts int `json:"attempts,omitempty"`
}

// Submitted is an accepted, paid task.
type Submitted struct {
	TaskID      string    `json:"taskId"`
	SubmittedAt time.Time `json:"submittedAt"`
	// Attempts counts the submissions of this job so far.
	Attempts int      `json:"attempts"`
	Settings Settings `json:"settings"`
}

// Hold is a refusal for now: nothing was created, and the same submission may
// be accepted later.
type Hold struct {
	Code   int    `json:"code"`
	Reason string `json:"reason"`
	// Until is when to ask again.
	Until    time.Time `json:"until"`
	Attempts int       `json:"attempts"`
	Settings Settings  `json:"settings"`
}

// Submit makes the one paid request of a job. A call sends at most one POST,
// and only after the server has stored the evidence that it is about to. It
// returns the application errors Held, NotSent, SubmitRefused and
// SubmitUnknown.
func (a *Activities) Submit(ctx context.Context, input SubmitInput) (Submitted, error) {
	attempt, err := a.newAttempt(ctx, input)
	if err != nil {
		return Submitted{}, err
	}
	switch attempt.evidence.Phase {
	case PhaseAccepted:
		return attempt.evidence.Submitted(), nil
	case PhaseSending:
		return Submitted{}, attempt.unknown(errors.New("an earlier attempt began to send and left no outcome"))
	}
	if input.Held != nil && a.Now().Before(input.Held.Until) {
		return Submitted{}, attempt.holdOn(*input.Held)
	}
	if !a.Now().Before(input.Until) {
		return Submitted{}, attempt.tooLate("no worker was free before", nil)
	}
	if err := attempt.fence(ctx); err != nil {
		return Submitted{}, err
	}

	taskID, err := attempt.send(ctx)
	countSubmission(ctx, err)
	if err == nil {
		attempt.settle(ctx, PhaseAccepted, taskID)
		return attempt.evidence.Submitted(), nil
	}
	switch kie.ClassOf(err) {
	case kie.NotSent:
		attempt.evidence.Attempts--
		attempt.settle(ctx, PhaseRefused, "")
		return Submitted{}, attempt.notSent(err)
	case kie.Held:
		attempt.settle(ctx, PhaseRefused, "")
		return Submitted{}, attempt.held(err)
	case kie.Refused:
		attempt.settle(ctx, PhaseRefused, "")
		return Submitted{}, attempt.refused(err)
	default:
		return Submitted{}, attempt.unknown(err)
	}
}

// attempt is one try at a submission and the evidence it leaves.
type attempt struct {
	*Activities
	input    SubmitInput
	info     activity.Info
	evidence Evidence
}

// newAttempt takes over the evidence of the attempt before. If it can't be read,
// encrypted with a key that this worker does not have, nothing may be sent: the
// server tries again until a worker can.
func (a *Activities) newAttempt(ctx context.Context, input SubmitInput) (*attempt, error) {
	try := &attempt{Activities: a, input: input, info: activity.GetInfo(ctx), evidence: Evidence{Attempts: input.Attempts}}
	if activity.HasHeartbeatDetails(ctx) {
		if err := activity.GetHeartbeatDetails(ctx, &try.evidence); err != nil {
			return nil, fmt.Errorf("nothing is sent, because the evidence of an earlier attempt can't be read: %w", err)
		}
	}
	try.evidence.Settings = a.settings(ctx)
	return try, nil
}

// fence stores on the server that this attempt is about to send. Without that
// record nothing may be sent: a worker that dies now must leave a trace, and
// an attempt that was given up while its worker slept must stay silent.
func (t *attempt) fence(ctx context.Context) error {
	t.evidence.Phase, t.evidence.At = PhaseSending, t.Now()
	t.evidence.Attempts++
	bounded, cancel := context.WithTimeout(ctx, SubmissionTimeout)
	defer cancel()
	err := t.record(bounded)
	if err == nil {
		return nil
	}
	// The server may have stored the evidence and still said no (a cancelled or
	// paused job, an answer that was lost), so it is taken back.
	t.evidence.Attempts--
	t.settle(ctx, PhaseRefused, "")
	if isNotFound(err) {
		return fmt.Errorf("submit for %s: the attempt was given up before it sent anything: %w", t.info.WorkflowExecution.ID, err)
	}
	if temporal.IsCanceledError(err) {
		return err
	}
	return t.notSent(err)
}

// send makes the request and keeps the evidence fresh while it runs.
func (t *attempt) send(ctx context.Context) (string, error) {
	type answer struct {
		taskID string
		err    error
	}
	// A cancelled job or a stopping worker must not break a request that may
	// already be charged: only its own time limit ends it.
	sending, cancel := context.WithTimeout(context.WithoutCancel(ctx), SubmissionTimeout)
	defer cancel()
	answers := make(chan answer, 1)
	go func() {
		taskID, err := t.Provider.Submit(sending, kie.SubmitRequest{
			Prompt:      t.input.Prompt,
			VideoURL:    t.input.VideoURL,
			CallbackURL: t.callbackURL(t.info),
			Watermark:   t.input.Watermark,
		})
		answers <- answer{taskID, err}
	}()
	beat := time.NewTicker(beatInterval)
	defer beat.Stop()
	for {
		select {
		case got := <-answers:
			return got.taskID, got.err
		case <-beat.C:
			if err := t.recordSoon(ctx); err != nil {
				activity.GetLogger(ctx).Warn("could not refresh the evidence of a submission under way", "error", err)
			}
		}
	}
}
