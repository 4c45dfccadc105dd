package starter_test

import (
	"context"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"lumaflow/starter"
	"lumaflow/test/startertest"
)

const (
	taskID = startertest.TaskID
	jobID  = startertest.JobID

	statusFailed     = enumspb.WORKFLOW_EXECUTION_STATUS_FAILED
	statusCanceled   = enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED
	statusTerminated = enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED
	statusTimedOut   = enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT
	statusCompleted  = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
)

var request = startertest.Request

// cutOff is a Temporal whose whole histories can't be read.
type cutOff struct{ *startertest.Temporal }

func (c *cutOff) GetWorkflowHistory(ctx context.Context, id, runID string, wait bool, filter enumspb.HistoryEventFilterType) client.HistoryEventIterator {
	if filter == enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT {
		return startertest.BrokenHistory(errCut)
	}
	return c.Temporal.GetWorkflowHistory(ctx, id, runID, wait, filter)
}

var errCut = serviceerror.NewInternal("shard lost")

// flaky is a Temporal whose long polls end after a minute, as in a restart.
type flaky struct{ *startertest.Temporal }

func (f *flaky) GetWorkflowHistory(ctx context.Context, id, runID string, wait bool, filter enumspb.HistoryEventFilterType) client.HistoryEventIterator {
	if !wait {
		return f.Temporal.GetWorkflowHistory(ctx, id, runID, wait, filter)
	}
	polling, stop := context.WithTimeout(ctx, time.Minute)
	context.AfterFunc(polling, stop)
	return f.Temporal.GetWorkflowHistory(polling, id, runID, wait, filter)
}

// forbidding is a Temporal that denies access to histories.
type forbidding struct{ *startertest.Temporal }

func (f *forbidding) GetWorkflowHistory(context.Context, string, string, bool, enumspb.HistoryEventFilterType) client.HistoryEventIterator {
	return startertest.BrokenHistory(serviceerror.NewPermissionDenied("not for you", ""))
}

const day = 24 * time.Hour

func ages(started, accepted, finished time.Duration) startertest.Ages {
	return startertest.Ages{Started: started, Accepted: accepted, Finished: finished}
}

func noProgress(starter.Progress) {}

func noTally(starter.Tally) {}
