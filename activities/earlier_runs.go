package activities

import (
	"context"

	"go.temporal.io/sdk/activity"

	"lumaflow/internal/paid/runs"
)

// Earlier is what the earlier runs of a job have paid.
type Earlier struct {
	runs.Earlier
	Settings Settings `json:"settings"`
}

// EarlierRuns reads what the other runs of the chain have paid: those that this run
// retries or continues, and those that it was reset from. It pays nothing. Its
// errors are retryable.
func (a *Activities) EarlierRuns(ctx context.Context) (Earlier, error) {
	job := activity.GetInfo(ctx).WorkflowExecution
	found, err := a.options.Runs.Earlier(ctx, job.ID, job.RunID)
	if err != nil {
		return Earlier{}, retryable(ProviderUnavailable, "read the earlier runs of the job", err, 0)
	}
	return Earlier{Earlier: found, Settings: a.settings(ctx, true)}, nil
}
