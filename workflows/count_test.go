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

// onPollEndedAt scripts a record of a task that ended at a given time.
func (env *jobEnv) onPollEndedAt(at time.Time) *jobEnv {
	env.OnActivity(a.Poll, anything, anything).Return(activities.Finished{
		TaskID: ourTask, ResultURLs: []string{resultURL}, CompletedAt: at, Polls: 1,
	}, nil)
	return env
}

func TestJobsAreCounted(t *testing.T) {
	withoutCallbacks := func(env *jobEnv) func(activities.SubmitInput) (activities.Submitted, error) {
		return func(activities.SubmitInput) (activities.Submitted, error) {
			return activities.Submitted{TaskID: ourTask, SubmittedAt: env.Now(), Settings: activities.Settings{PollAfter: 10 * time.Minute}}, nil
		}
	}
	adopting := workflows.ModifyVideoInput{TaskID: ourTask}
	tests := []struct {
		name   string
		script func(env *jobEnv)
		input  workflows.ModifyVideoInput
		want   map[string]float64
		delays int
	}{
		{"woken by its callback", func(env *jobEnv) {
			env.onSubmit(env.accepted(ourTask)).onPollEndedAt(env.Now()).onStore().sendSuccess(5*time.Minute, ourTask)
		}, request, map[string]float64{"wakeups callback": 1, "jobs_ended done": 1}, 1},
		{"woken by a poll long after the end", func(env *jobEnv) {
			env.onSubmit(env.accepted(ourTask)).onPollEndedAt(env.Now().Add(5 * time.Minute)).onStore()
		}, request, map[string]float64{"wakeups poll": 1, "callbacks_overdue": 1, "jobs_ended done": 1}, 1},
		{"woken by a poll right after the end", func(env *jobEnv) {
			env.onSubmit(env.accepted(ourTask)).onPollEndedAt(env.Now().Add(9*time.Minute + 30*time.Second)).onStore()
		}, request, map[string]float64{"wakeups poll": 1, "jobs_ended done": 1}, 1},
		{"no callback expected", func(env *jobEnv) {
			env.onSubmit(withoutCallbacks(env)).onPollEndedAt(env.Now()).onStore()
		}, request, map[string]float64{"wakeups poll": 1, "jobs_ended done": 1}, 1},
		{"collects an old task", func(env *jobEnv) {
			env.onIdentify(ourTask, nil).onPollEndedAt(env.Now().Add(-10 * 24 * time.Hour)).onStore()
		}, adopting, map[string]float64{"wakeups poll": 1, "jobs_ended done": 1}, 0},
		{"the clock of kie.ai is ahead", func(env *jobEnv) {
			env.onSubmit(env.accepted(ourTask)).onPollEndedAt(env.Now().Add(time.Hour)).onStore()
		}, request, map[string]float64{"wakeups poll": 1, "jobs_ended done": 1}, 1},
		{"the response is lost, the callback finds the task", func(env *jobEnv) {
			env.onSubmit(env.unknown()).onIdentify(ourTask, nil).onPollEndedAt(env.Now()).onStore().sendSuccess(5*time.Minute, ourTask)
		}, request, map[string]float64{"submissions unknown": 1, "wakeups callback": 1, "jobs_ended done": 1}, 1},
		{"the worker died while sending", func(env *jobEnv) {
			env.withoutSubmitRetries().onSubmit(env.timesOut(enumspb.TIMEOUT_TYPE_HEARTBEAT, env.evidence(activities.PhaseSending, "")))
		}, request, map[string]float64{"submissions unknown": 1, "jobs_ended SubmitUnknown": 1}, 0},
		{"refused", func(env *jobEnv) {
			env.onSubmit(env.fails(activities.SubmitRefused, env.evidence(activities.PhaseRefused, "")))
		}, request, map[string]float64{"jobs_ended SubmitRefused": 1}, 0},
		{"invalid input", func(*jobEnv) {}, workflows.ModifyVideoInput{}, map[string]float64{"jobs_ended InvalidRequest": 1}, 0},
		{"cancelled", func(env *jobEnv) {
			env.onSubmit(env.accepted(ourTask)).RegisterDelayedCallback(env.CancelWorkflow, time.Minute)
		}, request, map[string]float64{"jobs_ended cancelled": 1}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			env := newJobEnv(t)
			test.script(env)
			env.run(test.input)
			require.Equal(t, test.want, env.metrics.Values())
			count, sum := env.metrics.Observations(metrics.FinishedToStored.Metric)
			require.EqualValues(t, test.delays, count)
			require.GreaterOrEqual(t, sum, 0.0)
		})
	}
}
