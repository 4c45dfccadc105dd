package replay_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/workflow"

	"lumaflow/internal/cli/replay"
	replays "lumaflow/worker/replay"
	"lumaflow/workflows"
)

// runsOf returns two runs of one job.
func runsOf(t *testing.T, id, scenario string) (runs []job) {
	t.Helper()
	for number := 1; number <= 2; number++ {
		history := recorded(t, fmt.Sprintf("%s.run-%d", scenario, number))
		runs = append(runs, job{id: id, run: fmt.Sprintf("run-%d", number), history: history})
	}
	return runs
}

// The runs of a job have a history each: those that a reset terminated, and those
// that begin with the events of another run.
func TestRunsOfOneJob(t *testing.T) {
	for _, scenario := range []string{
		"v0.1.reset-of-a-done-job", "v0.1.reset-while-the-task-renders", "v0.1.reset-while-it-waits-last", "v0.1.reset-while-in-flight",
		"v0.1.reset-while-it-submits-again", "v0.1.retry-policy", "v0.1.cron", "v0.1.overdue-then-invalid",
	} {
		t.Run(scenario, func(t *testing.T) {
			runs := runsOf(t, "job", scenario)
			for length, next := range runs[1].history.GetEvents() {
				switch next.GetEventType() {
				case enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED, enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED, enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED:
				default:
					continue // The commands of a workflow task are written at once.
				}
				service := &temporal{open: []job{{id: "job", run: "run-2", history: upTo(runs[1].history, length)}}, closed: runs[:1]}
				out, err := check(t.Context(), t, replay.Command{Closed: 200}, service, replays.Options{})
				require.NoError(t, err)
				require.Equal(t, "replayed 1 open and 1 closed job: this build can take over\n", out)
				require.ElementsMatch(t, []string{"job/run-1", "job/run-2"}, service.read)
			}
		})
	}
}

func TestTheRunThatWouldBreakIsNamed(t *testing.T) {
	runs := runsOf(t, "job", "v0.1.overdue-then-invalid")
	breaksInvalid := coded(func(ctx workflow.Context, in input) (result, error) {
		if strings.TrimSpace(in.Prompt) == "" {
			return other(ctx, in)
		}
		return workflows.Workflows{}.ModifyVideo(ctx, in)
	})
	_, err := check(t.Context(), t, replay.Command{Closed: 200}, &temporal{closed: runs}, breaksInvalid)
	require.ErrorContains(t, err, "job job (run run-2) would break")

	runs = runsOf(t, "job", "v0.1.reset-of-a-done-job")
	history := runs[1].history
	var broken *replays.BreakError
	require.ErrorAs(t, replays.Replay(t.Context(), history, coded(other)), &broken)
	reset := history.GetEvents()[3].GetWorkflowTaskFailedEventAttributes()
	require.Equal(t, reset.GetNewRunId(), broken.RunID)
	require.NotEqual(t, reset.GetBaseRunId(), broken.RunID)
}
