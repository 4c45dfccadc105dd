package activities

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"

	"lumaflow/internal/kie"
)

// identifyGrace is how long a task id that kie.ai does not know is asked again:
// whether a record can be read right after the submission is not documented.
const identifyGrace = 2 * time.Minute

// IdentifyInput names a task that a job might adopt.
type IdentifyInput struct {
	TaskID string `json:"taskId"`
	// Own demands that the task was submitted with this job's callback URL.
	Own bool `json:"own,omitempty"`
	// NotAnothers refuses a task that another job of this namespace submitted: that
	// job collects it, and writes its receipt.
	NotAnothers bool `json:"notAnothers,omitempty"`
	// NotBefore refuses a task of an earlier run of the same job, whose callback
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

// Identify asks record-info whether a task exists and, if Own is set, whether
// it is this job's: kie.ai echoes the callback URL it was submitted with, and
// only this job's carries its token. It returns the application errors
// UnknownTask and ForeignTask; anything else is retried.
func (a *Activities) Identify(ctx context.Context, input IdentifyInput) (Identified, error) {
	info := activity.GetInfo(ctx)
	record, err := a.Provider.Record(ctx, input.TaskID)
	noRecord := "kie.ai has no record of task " + input.TaskID
	pause := max(5*time.Second, askedDelay(err))
	switch {
	case err == nil:
	case kie.ClassOf(err) != kie.NotFound:
		return Identified{}, retry(ProviderUnavailable, "ask kie.ai about task "+input.TaskID, err, pause)
	case a.Now().Sub(info.ScheduledTime) < identifyGrace:
		return Identified{}, retry(ProviderUnavailable, noRecord+" yet", err, pause)
	default:
		return Identified{}, final(UnknownTask, noRecord, err)
	}
	if input.Own && !a.Secrets.Owns(record.CallbackURL, info.Namespace, info.WorkflowExecution.ID) {
		return Identified{}, final(ForeignTask, "task "+input.TaskID+" was not submitted by this job", nil)
	}
	owner, known := a.Secrets.Owner(record.CallbackURL, info.Namespace)
	if input.NotAnothers && known && owner != info.WorkflowExecution.ID {
		return Identified{}, final(ForeignTask, "task "+input.TaskID+" was submitted by job "+owner, nil)
	}
	if !record.CreatedAt.IsZero() && record.CreatedAt.Before(input.NotBefore) {
		return Identified{}, final(ForeignTask, "task "+input.TaskID+" was submitted before this attempt", nil)
	}
	return Identified{
		TaskID:    input.TaskID,
		Prompt:    record.Prompt,
		VideoURL:  record.VideoURL,
		CreatedAt: record.CreatedAt,
		Settings:  a.settings(ctx),
	}, nil
}
