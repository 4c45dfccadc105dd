package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"lumaflow/internal/kie"
)

// SubmissionTimeout bounds one paid POST, from the connection to the last byte
// of the answer. Nothing else ends a request that has begun.
const SubmissionTimeout = 60 * time.Second

// evidenceInterval is the heartbeat period of a slow submission, well inside the
// heartbeat timeout of the workflow's submission policy.
const evidenceInterval = 5 * time.Second

// SubmitInput is one job's submission.
type SubmitInput struct {
	Prompt    string `json:"prompt"`
	VideoURL  string `json:"videoUrl"`
	Watermark string `json:"watermark,omitempty"`
	// Model is empty for Luma Modify.
	Model string `json:"model,omitempty"`
	// Options are the model's own fields.
	Options map[string]any `json:"options,omitempty"`
	// Unchecked permits options that nothing checks.
	Unchecked bool `json:"unchecked,omitempty"`
	// Until is the time limit for a provider that is unreachable or holds the job.
	Until time.Time `json:"until"`
	// Expires means that Until is the expiry of the uploaded video and not the
	// job's deadline.
	Expires bool `json:"expires,omitempty"`
	// Held is the hold that the job already shows. The server alone retries a
	// refusal with the same code, so that a long hold adds no history.
	Held *Hold `json:"held,omitempty"`
	// Quiet leaves the retry of every hold to the server, shown or not.
	Quiet bool `json:"quiet,omitempty"`
	// Attempts counts the earlier submissions of the job.
	Attempts int `json:"attempts,omitempty"`
	// Run is the only run that may send: the first of its chain, or one that has read
	// what the earlier ones paid. It is data, so that the copy of a schedule in the
	// history of a reset run still names the run that made it. Empty, in the input of
	// lumaflow v0.1, means the first of the chain.
	Run string `json:"run,omitempty"`
	// Batch is the batch of the job, if it has one.
	Batch string `json:"batch,omitempty"`
}

// Submitted is an accepted, paid task.
type Submitted struct {
	TaskID      string    `json:"taskId"`
	SubmittedAt time.Time `json:"submittedAt"`
	// Attempts counts the submissions of this job so far.
	Attempts int      `json:"attempts"`
	Settings Settings `json:"settings"`
}

// Hold is a temporary refusal: nothing was created, and the same submission may
// be accepted later.
type Hold struct {
	Code   int    `json:"code"`
	Reason string `json:"reason"`
	// RefusedAt is the time of the refusal, which may be that of another job.
	RefusedAt time.Time `json:"refusedAt,omitzero"`
	// Until is the time of the next submission.
	Until    time.Time `json:"until"`
	Attempts int       `json:"attempts"`
	Settings Settings  `json:"settings"`
}

// Submit makes the one paid request of a job. A call sends at most one POST, and
// only after the server has stored evidence of the intent. It returns the
// application errors Held, NotSent, SubmitRefused, SubmitUnknown, VideoExpired and
// LaterRun.
func (a *Activities) Submit(ctx context.Context, input SubmitInput) (Submitted, error) {
	attempt, err := a.newAttempt(ctx, input)
	if err != nil {
		return Submitted{}, err
	}
	// The evidence comes first: a worker of lumaflow v0.1 sends for any run.
	switch attempt.evidence.Phase {
	case PhaseAccepted:
		return attempt.evidence.Submitted(), nil
	case PhaseSending:
		return Submitted{}, attempt.unknown(errors.New("an earlier attempt began to send and left no outcome"))
	}
	if err := attempt.checkRun(ctx); err != nil {
		return Submitted{}, err
	}
	if input.Held != nil && a.options.Now().Before(input.Held.Until) {
		return Submitted{}, attempt.waitFor(*input.Held)
	}
	if !a.options.Now().Before(input.Until) {
		return Submitted{}, attempt.expired("no worker was free before", nil)
	}
	if input.Batch != "" {
		if hold, admitted := a.admit(ctx, attempt); !admitted {
			return Submitted{}, attempt.hold(hold, nil)
		}
		defer a.probe.end()
	}
	if err := attempt.check(ctx); err != nil {
		return Submitted{}, err
	}
	if err := attempt.fence(ctx); err != nil {
		return Submitted{}, err
	}

	taskID, err := attempt.send(ctx)
	countSubmission(ctx, err)
	a.probe.observe(err, a.options.Now())
	if err == nil {
		attempt.storeOutcome(ctx, PhaseAccepted, taskID)
		return attempt.evidence.Submitted(), nil
	}
	switch kie.ClassOf(err) {
	case kie.NotSent:
		attempt.evidence.Attempts--
		attempt.storeOutcome(ctx, PhaseRefused, "")
		return Submitted{}, attempt.notSent(err)
	case kie.Held:
		attempt.storeOutcome(ctx, PhaseRefused, "")
		return Submitted{}, attempt.held(err)
	case kie.Refused:
		attempt.storeOutcome(ctx, PhaseRefused, "")
		return Submitted{}, permanent(SubmitRefused, "kie.ai refused the submission, nothing was charged", err, attempt.evidence)
	default:
		return Submitted{}, attempt.unknown(err)
	}
}

// check completes the request and rejects one that kie.ai would refuse or bill without
// heeding it.
func (t *attempt) check(ctx context.Context) (err error) {
	t.request, err = t.options.Provider.Check(ctx, kie.SubmitRequest{
		Model: t.input.Model, Options: t.input.Options,
		Prompt: t.input.Prompt, VideoURL: t.input.VideoURL, Watermark: t.input.Watermark,
	}, t.input.Unchecked)
	if kie.ClassOf(err) == kie.Temporary {
		return t.notSent(err)
	}
	if err != nil {
		return permanent(InvalidRequest, "nothing was submitted or charged: "+err.Error(), nil, t.evidence)
	}
	return nil
}

// admit reports whether a job of a batch may submit now; see probe.
func (a *Activities) admit(ctx context.Context, attempt *attempt) (hold Hold, admitted bool) {
	return a.probe.admit(a.options.Now(), attempt.info.WorkflowExecution.ID, attempt.input.Held, func() (string, error) {
		ctx, cancel := context.WithTimeout(ctx, requestTimeout)
		defer cancel()
		return a.options.Runs.Probe(ctx, attempt.input.Batch)
	})
}

// checkRun returns LaterRun unless the attempt belongs to the run that may send. If
// that can't be read, the server retries.
func (t *attempt) checkRun(ctx context.Context) error {
	job, sender := t.info.WorkflowExecution, t.input.Run
	if sender == "" {
		var err error
		if sender, err = t.options.Runs.First(ctx, job.ID, job.RunID); err != nil {
			return fmt.Errorf("nothing is sent, because the first run of the job can't be read: %w", err)
		}
	}
	if sender != "" && sender != job.RunID {
		return permanent(LaterRun, "nothing is submitted: an earlier run of the job may have paid", nil)
	}
	return nil
}

// attempt is one attempt to submit and its evidence.
type attempt struct {
	options  Options
	input    SubmitInput
	info     activity.Info
	evidence Evidence
	// request is what check has completed.
	request kie.SubmitRequest
	fresh   freshness
}

// newAttempt continues the evidence of the attempt before. If that can't be
// decrypted, for lack of its key, nothing may be sent: the server retries until a
// worker has the key.
func (a *Activities) newAttempt(ctx context.Context, input SubmitInput) (*attempt, error) {
	t := &attempt{options: a.options, input: input, info: activity.GetInfo(ctx), evidence: Evidence{Attempts: input.Attempts}}
	if activity.HasHeartbeatDetails(ctx) {
		if err := activity.GetHeartbeatDetails(ctx, &t.evidence); err != nil {
			return nil, fmt.Errorf("nothing is sent, because the evidence of an earlier attempt can't be read: %w", err)
		}
	}
	t.evidence.Settings = a.settings(ctx, input.Model, input.Run != "")
	return t, nil
}
