package activities

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"lumaflow/internal/kie"
)

const (
	// warnAfter is how long the videos of a task that has ended may lie at
	// kie.ai before the worker's log says so: half of the time they are kept.
	warnAfter = kie.MediaKept / 2
	// warnEvery spaces the warnings about one video.
	warnEvery = time.Hour
	// goneAfter is when a dead link is taken for a deleted video. At what hour
	// kie.ai deletes is not documented, so a day more is given.
	goneAfter = kie.MediaKept + 24*time.Hour
)

// warnOfDeletion logs that the media of a task are not stored and will be
// deleted, from day 7 on and at most once an hour. It returns when that was
// logged last, for the next attempt. A zero endedAt is not known and says
// nothing.
func (a *Activities) warnOfDeletion(ctx context.Context, taskID string, endedAt, warned time.Time, failure error) time.Time {
	now := a.Now()
	kept := now.Sub(endedAt)
	if endedAt.IsZero() || kept < warnAfter || now.Sub(warned) < warnEvery {
		return warned
	}
	job := activity.GetInfo(ctx).WorkflowExecution.ID
	next := "the job tries on; see what is in its way with: lumaflow status " + job
	var ended *temporal.ApplicationError
	if errors.As(failure, &ended) && ended.NonRetryable() {
		next = "lumaflow rescue " + taskID
	}
	text := "the video is not stored yet and kie.ai deletes it 14 days after its task ended"
	if kept >= kie.MediaKept {
		text = "the video is not stored and kie.ai may have deleted it: its task ended more than 14 days ago"
	}
	activity.GetLogger(ctx).Warn(text, "job", job, "taskId", taskID,
		"hoursLeft", int(max(kie.MediaKept-kept, 0)/time.Hour), "next", next, "error", failure)
	return now
}
