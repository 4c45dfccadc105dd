package batches_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"lumaflow/test/historyfile"
	"lumaflow/worker/replay"
	"lumaflow/workflows/batches"
)

// recorded returns the histories that a Temporal server has recorded: of batches, and
// of two of their jobs. The one from before version "report-within-the-task" proves that
// open jobs go on; the other one, by the build with it, holds what its report costs.
func recorded(t *testing.T) map[string]*historypb.History {
	t.Helper()
	paths, err := filepath.Glob("testdata/histories/*.json")
	require.NoError(t, err)
	require.Len(t, paths, 5)
	histories := map[string]*historypb.History{}
	for _, path := range paths {
		histories[filepath.Base(path)], err = historyfile.Read(path)
		require.NoError(t, err)
	}
	return histories
}

// externalEvents are some of those that no command of the workflow causes.
var externalEvents = []enumspb.EventType{
	enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED,
	enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
}

// A worker of this build can continue every recorded batch, wherever it stands.
func TestHistoriesReplay(t *testing.T) {
	for name, history := range recorded(t) {
		t.Run(name, func(t *testing.T) {
			events := history.GetEvents()
			require.NoError(t, replay.Replay(t.Context(), history, replay.Options{}))
			for length, next := range events {
				// The events of commands are written together with their workflow task.
				if slices.Contains(externalEvents, next.GetEventType()) {
					cut := &historypb.History{Events: events[:length]}
					require.NoError(t, replay.Replay(t.Context(), cut, replay.Options{}), "before event %d", length+1)
				}
			}
		})
	}
}

// A change of the commands is noticed.
func TestReplayDetectsAChange(t *testing.T) {
	changed := replay.Options{Register: func(registry worker.WorkflowRegistry) {
		registry.RegisterWorkflowWithOptions(func(ctx workflow.Context, input batches.Input) (batches.Result, error) {
			if err := workflow.Sleep(ctx, 1); err != nil {
				return batches.Result{}, err
			}
			return batches.ModifyVideos(ctx, input)
		}, workflow.RegisterOptions{Name: batches.ModifyVideosName})
	}}
	var broken *replay.BreakError
	require.ErrorAs(t, replay.Replay(t.Context(), recorded(t)["completed.json"], changed), &broken)
}

// A job of a batch costs at most three billable actions more than alone: its start is
// two instead of one, its report is one, and the batch's own activities and timers are
// shared by the jobs.
func TestBillableActions(t *testing.T) {
	var jobs, actions int
	for _, event := range recorded(t)["completed.json"].GetEvents() {
		switch event.GetEventType() {
		case enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
			jobs++
			actions += 2
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, enumspb.EVENT_TYPE_TIMER_STARTED, enumspb.EVENT_TYPE_MARKER_RECORDED,
			enumspb.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
			actions++
		}
	}
	actions += jobs * reportActions(t, recorded(t)["job-of-a-batch.json"])
	require.Positive(t, jobs)
	// Alone, the start of each is one.
	more := float64(actions-jobs) / float64(jobs)
	t.Logf("%.2f billable actions more per job", more)
	require.LessOrEqual(t, more, 3.0)
	require.Greater(t, more, 2.0)
}

// reportActions counts the billable actions of the report of a job: its signal, and the
// marker of the local activity that sends it. Temporal Cloud counts all markers of a
// workflow task as one, so that it is free beside that of the receipt, and the search
// attribute of versions not at all.
func reportActions(t *testing.T, history *historypb.History) (actions int) {
	t.Helper()
	markers := map[int64]int{}
	var reported []int64
	for _, event := range history.GetEvents() {
		marker := event.GetMarkerRecordedEventAttributes()
		task := marker.GetWorkflowTaskCompletedEventId()
		switch {
		case marker == nil, marker.GetMarkerName() != "LocalActivity":
		case strings.Contains(marker.GetDetails()["data"].String(), "ReportEnd"):
			reported = append(reported, task)
		default:
			markers[task]++
		}
	}
	require.Len(t, reported, 1)
	if markers[reported[0]] == 0 {
		return 2
	}
	return 1
}
