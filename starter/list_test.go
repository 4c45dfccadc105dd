package starter_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"lumaflow/starter"
	"lumaflow/test/startertest"
	"lumaflow/workflows"
)

func TestFilterQuery(t *testing.T) {
	const all = "WorkflowType = 'ModifyVideo'"
	tests := []struct {
		filter starter.Filter
		want   string
	}{
		{starter.Filter{}, all},
		{starter.Filter{Open: true}, all + " AND ExecutionStatus = 'Running'"},
		{starter.Filter{Closed: true}, all + " AND ExecutionStatus != 'Running'"},
		{starter.Filter{Failed: true}, all + " AND ExecutionStatus IN ('Failed', 'Canceled', 'Terminated', 'TimedOut')"},
		{starter.Filter{Stage: workflows.StageHeld, TaskQueue: "studio"}, all + " AND LumaStage = 'held' AND TaskQueue = 'studio'"},
		{starter.Filter{TaskQueue: `it's \ OR 1=1`}, all + ` AND TaskQueue = 'it\'s \\ OR 1=1'`},
	}
	for _, test := range tests {
		require.Equal(t, test.want, test.filter.Query())
	}
}

func TestListStages(t *testing.T) {
	fake := startertest.New(t)
	fake.Job("a").Answers(workflows.Status{Stage: workflows.StageWaiting, TaskID: taskID})
	fake.Job("b").Attributes = map[string]string{"LumaStage": "held", "LumaTaskId": "t"}
	fake.Job("c").End(statusCompleted, time.Minute).Attributes = map[string]string{"LumaStage": "collecting", "LumaTaskId": "t"}
	fake.Job("d").End(statusTerminated, time.Minute)
	entries, more, err := starter.New(fake, starter.Options{}).List(t.Context(), starter.Filter{Limit: 50})
	require.NoError(t, err)
	require.False(t, more)
	require.Len(t, entries, 4)
	type row struct {
		state  starter.State
		stage  workflows.Stage
		taskID string
	}
	for i, want := range []row{
		{starter.StateRunning, workflows.StageWaiting, taskID},
		{starter.StateRunning, workflows.StageHeld, "t"},
		{starter.StateCompleted, workflows.StageDone, "t"},
		{starter.StateTerminated, workflows.StageFailed, ""},
	} {
		require.Equal(t, want, row{entries[i].State, entries[i].Stage, entries[i].TaskID}, entries[i].WorkflowID)
	}
	require.Equal(t, 1, fake.StatusQueries, "only the job with an unknown stage is queried")
}

// The time of a list does not grow with the number of jobs of a dead worker, and one
// stuck job hides none of the others.
func TestListQueriesStages(t *testing.T) {
	tests := []struct {
		name           string
		stuck, limit   int
		queries, known int
	}{
		{"all", 0, 0, 100, 100},
		{"some are stuck", 7, 0, 100, 93},
		{"no worker", 100, 0, 15, 0},
		{"with a limit", 0, 30, 30, 30},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fake := startertest.New(t)
			for i := range 100 {
				job := fake.Job(fmt.Sprintf("job-%03d", i))
				if i >= test.stuck {
					job.Answers(workflows.Status{Stage: workflows.StageWaiting})
				}
			}
			entries, _, err := starter.New(fake, starter.Options{}).List(t.Context(), starter.Filter{Limit: 100, Queries: test.limit})
			require.NoError(t, err)
			known := 0
			for _, entry := range entries {
				if entry.Stage == workflows.StageWaiting {
					known++
				}
			}
			require.Equal(t, test.known, known)
			require.LessOrEqual(t, fake.StatusQueries, test.queries)
		})
	}
}

func TestCount(t *testing.T) {
	fake := startertest.New(t)
	fake.Job("open")
	fake.Job("done").End(statusCompleted, time.Minute)
	s := starter.New(fake, starter.Options{})
	count, err := s.Count(t.Context(), starter.Filter{Open: true, Limit: 0})
	require.NoError(t, err)
	require.Equal(t, 1, count)
	fake.ListError = serviceerror.NewUnavailable("down")
	_, err = s.Count(t.Context(), starter.Filter{})
	require.ErrorContains(t, err, "list the jobs: Temporal does not answer")
}

func TestListStopsAtTheLimit(t *testing.T) {
	tests := []struct {
		jobs, limit int
		pages       []int
		want        int
		more        bool
	}{
		{5, 3, []int{4, 2}, 3, true},
		{3, 3, []int{4, 2, 0}, 3, false},
		{0, 3, []int{4}, 0, false},
	}
	for _, test := range tests {
		fake := startertest.New(t)
		for i := range test.jobs {
			fake.Job(fmt.Sprintf("job-%d", i)).End(statusCompleted, time.Minute)
		}
		entries, more, err := starter.New(fake, starter.Options{}).List(t.Context(), starter.Filter{Limit: test.limit})
		require.NoError(t, err)
		require.Len(t, entries, test.want)
		require.NotNil(t, entries, "an empty list is [] in JSON")
		require.Equal(t, test.more, more)
	}
}

func TestListByStageWithoutTheAttribute(t *testing.T) {
	fake := startertest.New(t)
	fake.ListError = serviceerror.NewInvalidArgument("invalid query: column name 'LumaStage' is not a valid search attribute")
	s := starter.New(fake, starter.Options{})
	_, _, err := s.List(t.Context(), starter.Filter{Stage: workflows.StageHeld, Limit: 1})
	require.ErrorContains(t, err, "temporal operator search-attribute create --name LumaStage --type Keyword")
	_, _, err = s.List(t.Context(), starter.Filter{Limit: 1})
	require.ErrorContains(t, err, "list the jobs: invalid query")
}
