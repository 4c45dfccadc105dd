package activities

import (
	"cmp"
	"context"
	"time"

	"go.temporal.io/sdk/activity"

	"lumaflow/internal/kie"
)

const (
	// echoGrace is how long a record without a callback URL is read again: kie.ai's
	// own sample of a record has none, so the URL may come late or never.
	echoGrace = time.Minute
	// endedGrace is identifyGrace for a task that a callback names: it has ended, so
	// its record exists.
	endedGrace = 20 * time.Second
	// identifyGrace is how long a missing record is retried: kie.ai does not
	// document whether a record is readable right after the submission.
	identifyGrace = 2 * time.Minute
	// identifyInterval is the pause between two reads.
	identifyInterval = 5 * time.Second

	// IdentifyTime is the least time that the attempts of Identify need for each of
	// its answers about a task that a callback names.
	IdentifyTime = echoGrace + 30*time.Second
)

// IdentifyInput names a task that a job may adopt.
type IdentifyInput struct {
	TaskID string `json:"taskId"`
	// Model is empty for Luma Modify. Without Own an empty one is looked up in all
	// families.
	Model string `json:"model,omitempty"`
	// Own requires that the task was submitted with this job's callback URL.
	Own bool `json:"own,omitempty"`
	// NotAnothers rejects a task that another job of this namespace submitted: that
	// job collects it and writes its receipt.
	NotAnothers bool `json:"notAnothers,omitempty"`
	// NotBefore rejects a task of an earlier run of the same job, whose callback
	// URL is the same.
	NotBefore time.Time `json:"notBefore,omitzero"`
	// Prompt and VideoURL are the job's. With Own they decide about a record without a
	// callback URL; empty ones decide nothing.
	Prompt   string `json:"prompt,omitempty"`
	VideoURL string `json:"videoUrl,omitempty"`
	// Ended means that a callback named the task.
	Ended bool `json:"ended,omitempty"`
	// Facts is the value of Settings.Facts in the answer.
	Facts bool `json:"facts,omitempty"`
}

// Identified is a task that exists.
type Identified struct {
	TaskID string `json:"taskId"`
	// Model is empty for Luma Modify.
	Model     string    `json:"model,omitempty"`
	Prompt    string    `json:"prompt,omitempty"`
	VideoURL  string    `json:"videoUrl,omitempty"`
	CreatedAt time.Time `json:"createdAt"`
	Settings  Settings  `json:"settings"`
}

// Identify reads record-info to find out whether a task exists and, if Own is
// set, whether it is this job's: kie.ai echoes the callback URL of the
// submission, and only this job's contains its token. A record without one is no
// denial: the prompt, the video and the creation time decide then, unless another
// job has the task. It returns the application errors UnknownTask, ForeignTask and
// UnprovenTask; all other errors are retryable.
func (a *Activities) Identify(ctx context.Context, input IdentifyInput) (Identified, error) {
	info := activity.GetInfo(ctx)
	record, err := a.lookUp(ctx, input)
	if kie.ClassOf(err) == kie.NotFound && input.Model != "" && !input.Own {
		if other, found := a.options.Provider.FindRecord(ctx, input.TaskID); found == nil {
			return Identified{}, permanent(UnknownTask, "task "+input.TaskID+" is not of model "+input.Model+" but of "+cmp.Or(other.Model, DefaultModel), nil)
		}
	}
	noRecord := "kie.ai has no record of task " + input.TaskID
	grace, age := identifyGrace, a.options.Now().Sub(info.ScheduledTime)
	if input.Ended {
		grace = endedGrace
	}
	delay := max(identifyInterval, retryAfter(err))
	switch {
	case err == nil:
	case kie.ClassOf(err) != kie.NotFound:
		return Identified{}, retryable(ProviderUnavailable, "read kie.ai's record of task "+input.TaskID, err, delay)
	case age < grace:
		return Identified{}, retryable(ProviderUnavailable, noRecord+" yet", err, delay)
	default:
		return Identified{}, permanent(UnknownTask, noRecord, err)
	}
	switch echoes := record.CallbackURL != ""; {
	case !input.Own:
	case echoes && !a.options.Secrets.Owns(record.CallbackURL, info.Namespace, info.WorkflowExecution.ID):
		return Identified{}, permanent(ForeignTask, "task "+input.TaskID+" was not submitted by this job", nil)
	case !echoes && age < echoGrace:
		return Identified{}, retryable(Pending, "the record of task "+input.TaskID+" has no callback URL yet", nil, identifyInterval)
	case !echoes:
		if err := a.proveByContent(ctx, input, record); err != nil {
			return Identified{}, err
		}
	}
	owner, verified := a.options.Secrets.Owner(record.CallbackURL, info.Namespace)
	if input.NotAnothers && verified && owner != info.WorkflowExecution.ID {
		return Identified{}, permanent(ForeignTask, "task "+input.TaskID+" was submitted by job "+owner, nil)
	}
	if !record.CreatedAt.IsZero() && record.CreatedAt.Before(input.NotBefore) {
		return Identified{}, permanent(ForeignTask, "task "+input.TaskID+" was submitted before this attempt", nil)
	}
	return Identified{
		TaskID:    input.TaskID,
		Model:     cmp.Or(record.Model, input.Model),
		Prompt:    record.Prompt,
		VideoURL:  record.VideoURL,
		CreatedAt: record.CreatedAt,
		Settings:  a.settings(ctx, record.Model, input.Facts),
	}, nil
}

// lookUp reads all families until one has the record if the model is not given: of a
// task that a person or a callback names. The job takes the model from the record, so
// that its polls and downloads read one family. A model that is given is strict, and
// never a guess: a wrong one would lose a paid task.
func (a *Activities) lookUp(ctx context.Context, input IdentifyInput) (kie.Record, error) {
	if input.Model == "" && !input.Own {
		return a.options.Provider.FindRecord(ctx, input.TaskID)
	}
	return a.options.Provider.Record(ctx, input.Model, input.TaskID)
}

// proveByContent decides about a record without a callback URL. It returns nil if
// the record is of this job's submission.
func (a *Activities) proveByContent(ctx context.Context, input IdentifyInput, record kie.Record) error {
	switch {
	case input.Prompt == "" || record.Prompt == "" || record.VideoURL == "":
		return permanent(UnprovenTask, "the record of task "+input.TaskID+" names no callback URL and no request", nil)
	case record.Prompt != input.Prompt || record.VideoURL != input.VideoURL:
		return permanent(ForeignTask, "task "+input.TaskID+" has another prompt or video than this job", nil)
	case record.CreatedAt.IsZero():
		return permanent(UnprovenTask, "the record of task "+input.TaskID+" names no callback URL and no time", nil)
	case record.CreatedAt.Before(input.NotBefore):
		return permanent(ForeignTask, "task "+input.TaskID+" was submitted before this attempt", nil)
	}
	claimant, err := a.options.Runs.Claimant(ctx, input.TaskID, activity.GetInfo(ctx).WorkflowExecution.ID)
	switch {
	case err != nil:
		return retryable(ProviderUnavailable, "find other jobs with task "+input.TaskID, err, identifyInterval)
	case claimant != "":
		return permanent(ForeignTask, "task "+input.TaskID+" belongs to job "+claimant, nil)
	}
	return nil
}
