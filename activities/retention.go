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
	// warnAfter is the age of a task's end from which the log warns that its videos
	// are not stored: half of the time that kie.ai keeps them.
	warnAfter = kie.MediaKept / 2
	// warnInterval separates the warnings about one video.
	warnInterval = time.Hour
	// goneAfter is the age of a task's end from which a dead link means a deleted
	// video. kie.ai documents no hour of the deletion, hence one more day.
	goneAfter = kie.MediaKept + 24*time.Hour
)

// warnOfDeletion logs that the media of a task are not stored and will be
// deleted, from day 7 on and at most once an hour. It returns the time of the
// last warning, for the next attempt. A zero endedAt is unknown and causes no
// warning.
func warnOfDeletion(ctx context.Context, now time.Time, taskID string, endedAt, warned time.Time, failure error) time.Time {
	kept := now.Sub(endedAt)
	if endedAt.IsZero() || kept < warnAfter || now.Sub(warned) < warnInterval {
		return warned
	}
	job := activity.GetInfo(ctx).WorkflowExecution.ID
	next := "the job retries; see the reason with: lumaflow status " + job
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
