package e2e_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"lumaflow/internal/kie/kietest"
	"lumaflow/workflows"
)

// realTimesVariable enables tests that wait as long as kie.ai's models take.
const realTimesVariable = "LUMAFLOW_REAL_TIMES"

// Without POLL_AFTER the first poll of a job comes at one and a half times the usual
// time of its model: a lost callback of a model of 113 s is noticed after about 3
// minutes, where Luma Modify's 10 minutes would pass, and a callback in time costs no poll.
func TestLostCallbackIsNoticedByTheUsualTime(t *testing.T) {
	if os.Getenv(realTimesVariable) == "" {
		t.Skipf("set %s=1: it takes 3 minutes", realTimesVariable)
	}
	t.Parallel()
	const (
		model = "happyhorse/video-edit"
		usual = 113 * time.Second
		slack = 20 * time.Second
	)
	w := enter(t, setup{simulate: []string{"--render", usual.String()}, noWorker: true})
	w.env = slices.DeleteFunc(w.env, func(variable string) bool { return strings.HasPrefix(variable, "POLL_AFTER=") })
	w.startWorker()
	jobs := []struct {
		id, prompt, wokenBy string
		polls               int
		after               time.Duration
	}{
		{"usual-in-time", "snow", "callback", 0, usual},
		{"usual-lost", "snow [fault: callback-lost]", "poll", 1, usual * 3 / 2},
	}
	for _, job := range jobs {
		w.start(job.id, fmt.Sprintf(`{"prompt":%q,"videoUrl":%q,"model":%q}`, job.prompt, w.simURL+kietest.SourcePath, model))
	}
	for _, job := range jobs {
		// The usual time is beyond the patience for one event.
		ctx, cancel := context.WithTimeout(t.Context(), job.after+patience)
		defer cancel()
		var result workflows.ModifyVideoResult
		require.NoError(t, w.client.GetWorkflow(ctx, job.id, "").Get(ctx, &result), job.id)
		ended, err := w.client.DescribeWorkflow(ctx, job.id, "")
		require.NoError(t, err)
		took := ended.WorkflowCloseTime.Sub(ended.WorkflowStartTime)
		t.Logf("%s: done after %s, woken by a %s, %d polls", job.id, took.Round(100*time.Millisecond), result.WokenBy, w.scheduled(job.id, "Poll"))
		require.Equal(t, model, result.Model)
		require.Equal(t, job.wokenBy, result.WokenBy, job.id)
		require.Equal(t, job.polls, w.scheduled(job.id, "Poll"), job.id)
		require.GreaterOrEqual(t, took, job.after, job.id)
		require.Less(t, took, job.after+slack, job.id)
	}
	require.Equal(t, len(jobs), w.ledger().Charges)
}

// scheduled counts the activities of a type in the history of a job.
func (w *world) scheduled(id, activity string) (count int) {
	w.t.Helper()
	events := w.client.GetWorkflowHistory(w.t.Context(), id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(w.t, err)
		if event.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName() == activity {
			count++
		}
	}
	return count
}
