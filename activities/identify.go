package activities

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"

	"lumaflow/internal/kie"
)

const (
	// identifyGrace is how long a missing record is retried: kie.ai does not
	// document whether a record is readable right after the submission.
	identifyGrace = 2 * time.Minute
	// identifyInterval is the pause between two reads.
	identifyInterval = 5 * time.Second
)

// IdentifyInput names a task that a job may adopt.
type IdentifyInput struct {
	TaskID string `json:"taskId"`
	// Own requires that the task was submitted with this job's callback URL.
	Own bool `json:"own,omitempty"`
	// NotAnothers rejects a task that another job of this namespace submitted: that
	// job collects it and writes its receipt.
	NotAnothers bool `json:"notAnothers,omitempty"`
	// NotBefore rejects a task of an earlier run of the same job, whose callback
	// URL is the same.
	NotBefore time.Time `json:"notBefore,omitzero"`
}

// Identified is a task that exists.
type Identified struct {
	TaskID    string    `json:"taskId"`
	Prompt    string    `json:"prompt,omitempty"`
	VideoURL  string    `json:"videoUrl,omitempty"`
	CreatedAt time.Time `json:"createdAt"`
	Settings  Settings  `json:"settings"`
}

// Identify reads record-info to find out whether a task exists and, if Own is
// set, whether it is this job's: kie.ai echoes the callback URL of the
// submission, and only this job's contains its token. It returns the application
// errors UnknownTask and ForeignTask; all other errors are retryable.
func (a *Activities) Identify(ctx context.Context, input IdentifyInput) (Identified, error) {
	info := activity.GetInfo(ctx)
	record, err := a.options.Provider.Record(ctx, input.TaskID)
	noRecord := "kie.ai has no record of task " + input.TaskID
	delay := max(identifyInterval, retryAfter(err))
	switch {
	case err == nil:
	case kie.ClassOf(err) != kie.NotFound:
		return Identified{}, retryable(ProviderUnavailable, "read kie.ai's record of task "+input.TaskID, err, delay)
	case a.options.Now().Sub(info.ScheduledTime) < identifyGrace:
		return Identified{}, retryable(ProviderUnavailable, noRecord+" yet", err, delay)
	default:
		return Identified{}, permanent(UnknownTask, noRecord, err)
	}
	if input.Own && !a.options.Secrets.Owns(record.CallbackURL, info.Namespace, info.WorkflowExecution.ID) {
		return Identified{}, permanent(ForeignTask, "task "+input.TaskID+" was not submitted by this job", nil)
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
		Prompt:    record.Prompt,
		VideoURL:  record.VideoURL,
		CreatedAt: record.CreatedAt,
		Settings:  a.settings(ctx),
	}, nil
}
