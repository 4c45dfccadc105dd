package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"lumaflow/activities"
	"lumaflow/internal/telemetry/metrics"
	"lumaflow/workflows"
)

// ends has the record say that the task ended at a moment.
func (l *life) ends(at time.Time) *life {
	l.OnActivity(a.Poll, anything, anything).Return(activities.Finished{
		TaskID: ourTask, ResultURLs: []string{resultURL}, CompletedAt: at, Polls: 1,
	}, nil)
	return l
}

func TestJobsAreCounted(t *testing.T) {
	withoutCallbacks := func(l *life) func(activities.SubmitInput) (activities.Submitted, error) {
		return func(activities.SubmitInput) (activities.Submitted, error) {
			return activities.Submitted{TaskID: ourTask, SubmittedAt: l.Now(), Settings: activities.Settings{PollAfter: 10 * time.Minute}}, nil
		}
	}
	adopting := workflows.ModifyVideoInput{TaskID: ourTask}
	tests := []struct {
		name   string
		script func(l *life)
		input  workflows.ModifyVideoInput
		want   map[string]float64
		delays int
	}{
		{"woken by its callback", func(l *life) {
			l.submits(l.accepted(ourTask)).ends(l.Now()).stores().callback(5*time.Minute, ourTask)
		}, request, map[string]float64{"wakeups callback": 1, "jobs_ended done": 1}, 1},
		{"woken by a poll long after the end", func(l *life) {
			l.submits(l.accepted(ourTask)).ends(l.Now().Add(5 * time.Minute)).stores()
		}, request, map[string]float64{"wakeups poll": 1, "callbacks_overdue": 1, "jobs_ended done": 1}, 1},
		{"woken by a poll right after the end", func(l *life) {
			l.submits(l.accepted(ourTask)).ends(l.Now().Add(9*time.Minute + 30*time.Second)).stores()
		}, request, map[string]float64{"wakeups poll": 1, "jobs_ended done": 1}, 1},
		{"no callback is expected", func(l *life) {
			l.submits(withoutCallbacks(l)).ends(l.Now()).stores()
		}, request, map[string]float64{"wakeups poll": 1, "jobs_ended done": 1}, 1},
		{"collects an old task", func(l *life) {
			l.identifies(ourTask, nil).ends(l.Now().Add(-10 * 24 * time.Hour)).stores()
		}, adopting, map[string]float64{"wakeups poll": 1, "jobs_ended done": 1}, 0},
		{"the clock of kie.ai is ahead", func(l *life) {
			l.submits(l.accepted(ourTask)).ends(l.Now().Add(time.Hour)).stores()
		}, request, map[string]float64{"wakeups poll": 1, "jobs_ended done": 1}, 1},
		{"the response is lost, the callback finds the task", func(l *life) {
			l.submits(l.unknown()).identifies(ourTask, nil).ends(l.Now()).stores().callback(5*time.Minute, ourTask)
		}, request, map[string]float64{"submissions unknown": 1, "wakeups callback": 1, "jobs_ended done": 1}, 1},
		{"the worker died while it sent", func(l *life) {
			l.endsOnTimeout().submits(l.dies(enumspb.TIMEOUT_TYPE_HEARTBEAT, l.evidence(activities.PhaseSending, "")))
		}, request, map[string]float64{"submissions unknown": 1, "jobs_ended SubmitUnknown": 1}, 0},
		{"refused", func(l *life) {
			l.submits(l.fails(activities.SubmitRefused, l.evidence(activities.PhaseRefused, "")))
		}, request, map[string]float64{"jobs_ended SubmitRefused": 1}, 0},
		{"the input is wrong", func(*life) {}, workflows.ModifyVideoInput{}, map[string]float64{"jobs_ended InvalidRequest": 1}, 0},
		{"cancelled", func(l *life) {
			l.submits(l.accepted(ourTask)).RegisterDelayedCallback(l.CancelWorkflow, time.Minute)
		}, request, map[string]float64{"jobs_ended cancelled": 1}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := newLife(t)
			test.script(l)
			l.run(test.input)
			require.Equal(t, test.want, l.shown.Values())
			delays := l.shown.Times(metrics.FinishedToStored)
			require.Len(t, delays, test.delays)
			for _, delay := range delays {
				require.GreaterOrEqual(t, delay, time.Duration(0))
			}
		})
	}
}
