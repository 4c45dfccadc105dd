package jobs_test

import (
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"lumaflow/test/startertest"
)

const (
	taskID = startertest.TaskID
	video  = startertest.Video
	jobID  = startertest.JobID

	statusCompleted  = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
	statusFailed     = enumspb.WORKFLOW_EXECUTION_STATUS_FAILED
	statusCanceled   = enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED
	statusTerminated = enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED

	day = 24 * time.Hour
)

var request = startertest.Request

func ages(started, accepted, finished time.Duration) startertest.Ages {
	return startertest.Ages{Started: started, Accepted: accepted, Finished: finished}
}
