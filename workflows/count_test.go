package workflows_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

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

// The cost of a task is counted once, in thousandths of a credit, by its model and by
// the end of the task; one without a cost is not counted.
func TestCreditsAreCounted(t *testing.T) {
	const wan = "wan/2-7-videoedit"
	failsWith := func(details ...any) func(*jobEnv) {
		return func(env *jobEnv) {
			env.onSubmit(env.accepted(ourTask)).OnActivity(a.Poll, anything, anything).
				Return(activities.Finished{}, temporal.NewNonRetryableApplicationError("moderated", activities.GenerationFailed, nil, details...))
		}
	}
	finishes := func(cost *float64, env *jobEnv) *jobEnv {
		env.OnActivity(a.Poll, anything, anything).Return(activities.Finished{
			TaskID: ourTask, ResultURLs: []string{resultURL}, CompletedAt: env.Now(), Polls: 1, Credits: cost,
		}, nil)
		return env
	}
	stores := func(cost *float64) func(*jobEnv) {
		return func(env *jobEnv) { finishes(cost, env.onSubmit(env.accepted(ourTask))).onStore() }
	}
	rejects := func(env *jobEnv) {
		env.OnActivity(a.Download, anything, anything).Return(activities.Downloaded{}, temporal.NewNonRetryableApplicationError("no video", activities.DownloadRejected, nil))
	}
	identified := func(env *jobEnv) *jobEnv {
		env.OnActivity(a.Identify, anything, anything).Return(activities.Identified{TaskID: ourTask, Model: wan, CreatedAt: env.Now()}, nil)
		return env
	}
	tests := []struct {
		name   string
		model  string
		taskID string
		script func(*jobEnv)
		want   map[string]float64
	}{
		{"stored", wan, "", stores(new(61.5)), map[string]float64{wan + " stored": 61500}},
		{"a fraction is rounded", wan, "", stores(new(0.0016)), map[string]float64{wan + " stored": 2}},
		{"the model has no row", "acme/restyle", "", stores(new(10.0)), map[string]float64{"other stored": 10000}},
		{"the default model", "", "", stores(new(100.0)), map[string]float64{"luma stored": 100000}},
		{"without a cost", wan, "", stores(nil), nil},
		{"the generation failed", wan, "", failsWith(1, new(0.0)), map[string]float64{wan + " no-video": 0}},
		{"the generation failed and costs", wan, "", failsWith(1, new(3.0)), map[string]float64{wan + " no-video": 3000}},
		{"the generation failed, cost unknown", wan, "", failsWith(1), nil},
		{"the file is rejected", wan, "", func(env *jobEnv) {
			rejects(finishes(new(61.5), env.onSubmit(env.accepted(ourTask))))
		}, map[string]float64{wan + " unstored": 61500}},
		{"cancelled during the download", wan, "", func(env *jobEnv) {
			finishes(new(61.5), env.onSubmit(env.accepted(ourTask))).OnActivity(a.Download, anything, anything).Return(
				func(activities.DownloadInput) (activities.Downloaded, error) {
					env.CancelWorkflow()
					return activities.Downloaded{}, temporal.NewCanceledError()
				})
		}, map[string]float64{wan + " unstored": 61500}},
		{"adopted and stored", "", ourTask, func(env *jobEnv) {
			finishes(new(61.5), identified(env)).onStore()
		}, map[string]float64{wan + " adopted": 61500}},
		{"adopted and rejected", "", ourTask, func(env *jobEnv) {
			rejects(finishes(new(61.5), identified(env)))
		}, map[string]float64{wan + " adopted": 61500}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			env := newJobEnv(t)
			test.script(env)
			input := request
			if test.taskID != "" {
				input = workflows.ModifyVideoInput{TaskID: test.taskID}
			}
			input.Model = test.model
			env.run(input)
			require.True(t, env.IsWorkflowCompleted())
			var credits map[string]float64
			for series, value := range env.metrics.Values() {
				if labels, found := strings.CutPrefix(series, "millicredits "); found {
					require.Nil(t, credits, "one series")
					credits = map[string]float64{labels: value}
				}
			}
			require.Equal(t, test.want, credits)
		})
	}
}
