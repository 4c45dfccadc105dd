package census

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"

	"lumaflow/activities"
	"lumaflow/workflows"
)

// The activity types that a history is read by.
const (
	pollActivity     = "Poll"
	identifyActivity = "Identify"
)

// read goes through the history of a run. A run that Temporal has forgotten
// meanwhile has nothing to tell.
func (c *Census) read(ctx context.Context, job run) (*media, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*askTime)
	defer cancel()
	reading := reading{Census: c, media: media{since: job.started}, scheduled: map[int64]string{}}
	events := c.Temporal.GetWorkflowHistory(ctx, job.id, job.runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		var gone *serviceerror.NotFound
		switch {
		case errors.As(err, &gone):
			return &media{}, nil
		case err != nil:
			return nil, fmt.Errorf("read the history of job %s: %w", job.id, err)
		}
		reading.take(event)
	}
	if reading.ended {
		reading.since = reading.completed
	}
	return &reading.media, nil
}

// reading is a history on its way to what it tells.
type reading struct {
	*Census
	media
	// scheduled are the activities by the event that scheduled them.
	scheduled map[int64]string
	// ended says that the task's end is known, and completed when it was.
	ended     bool
	completed time.Time
}

// take reads one event. What can't be decoded is passed over: then the task is
// not known, or its end is not.
func (r *reading) take(event *historypb.HistoryEvent) {
	switch event.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
		var input workflows.ModifyVideoInput
		if r.DataConverter.FromPayloads(event.GetWorkflowExecutionStartedEventAttributes().GetInput(), &input) == nil {
			r.name = input.Name
		}
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
		scheduled := event.GetActivityTaskScheduledEventAttributes()
		r.scheduled[event.GetEventId()] = scheduled.GetActivityType().GetName()
		// Whatever way the task was found, it is polled.
		var poll activities.PollInput
		if scheduled.GetActivityType().GetName() == pollActivity && r.DataConverter.FromPayloads(scheduled.GetInput(), &poll) == nil {
			r.taskID = poll.TaskID
		}
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
		r.takeResult(event.GetActivityTaskCompletedEventAttributes())
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED:
		failure := event.GetActivityTaskFailedEventAttributes().GetFailure()
		if failure.GetApplicationFailureInfo().GetType() == workflows.GenerationFailed {
			r.taskID = ""
		}
	}
}

func (r *reading) takeResult(completed *historypb.ActivityTaskCompletedEventAttributes) {
	switch r.scheduled[completed.GetScheduledEventId()] {
	case pollActivity:
		var finished activities.Finished
		if r.DataConverter.FromPayloads(completed.GetResult(), &finished) == nil && !finished.CompletedAt.IsZero() {
			r.ended, r.completed = true, finished.CompletedAt
		}
	case identifyActivity:
		// An adopted task may be older than the job.
		var identified activities.Identified
		if r.DataConverter.FromPayloads(completed.GetResult(), &identified) == nil &&
			!identified.CreatedAt.IsZero() && identified.CreatedAt.Before(r.since) {
			r.since = identified.CreatedAt
		}
	}
}
