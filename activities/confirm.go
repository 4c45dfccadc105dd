package activities

import (
	"context"

	"go.temporal.io/sdk/activity"

	"lumaflow/internal/kie"
	"lumaflow/internal/telemetry/metrics"
)

// ConfirmInput is a task whose end a callback reports.
type ConfirmInput struct {
	TaskID string `json:"taskId"`
	// Model is empty for Luma Modify.
	Model string `json:"model,omitempty"`
}

// Confirm reads record-info once, right after a callback. It returns the end of the
// task if that is a success with links. In every other case the result is zero, and
// Poll decides: an error of kie.ai, a task that still runs, a failed one. It is a local
// activity, which adds one event to the history instead of six.
func (a *Activities) Confirm(ctx context.Context, input ConfirmInput) (Finished, error) {
	taskID := input.TaskID
	record, err := a.options.Provider.Record(ctx, input.Model, taskID)
	if err != nil || record.State != kie.Succeeded || len(record.ResultURLs) == 0 {
		if err != nil {
			activity.GetLogger(ctx).Info("the record does not confirm the callback yet", "taskId", taskID, "error", err)
		}
		return Finished{}, nil
	}
	countPoll(ctx, metrics.PollFinished)
	metrics.JobPolls.Observe(ctx, activity.GetMetricsHandler(ctx), 1)
	return Finished{
		TaskID:      taskID,
		ResultURLs:  record.ResultURLs,
		CreatedAt:   record.CreatedAt,
		CompletedAt: record.CompletedAt,
		Polls:       1,
		Credits:     record.Credits,
	}, nil
}
