package workflows_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"lumaflow/activities"
	"lumaflow/internal/kie"
	"lumaflow/workflows"
)

// The model and its options reach every activity, and the result has model and cost. The
// deadline of no model is below the longest time seen.
func TestModelReachesAllActivities(t *testing.T) {
	const model = "happyhorse/video-edit"
	cost := 28.0
	after := 113 * time.Second * 3 / 2
	env := newJobEnv(t)
	started := env.Now()
	env.onSubmit(func(in activities.SubmitInput) (activities.Submitted, error) {
		require.Equal(t, model, in.Model)
		require.Equal(t, map[string]any{"resolution": "720p"}, in.Options)
		return activities.Submitted{TaskID: ourTask, SubmittedAt: env.Now(), Settings: activities.Settings{Callbacks: true, PollAfter: after, Usual: 113 * time.Second}}, nil
	})
	env.OnActivity(a.Poll, anything, anything).Return(func(_ context.Context, in activities.PollInput) (activities.Finished, error) {
		require.Equal(t, model, in.Model)
		return activities.Finished{TaskID: ourTask, ResultURLs: []string{resultURL}, CompletedAt: env.Now(), Polls: 1, Credits: &cost}, nil
	})
	env.OnActivity(a.Download, anything, anything).Return(func(_ context.Context, in activities.DownloadInput) (activities.Downloaded, error) {
		require.Equal(t, model, in.Model)
		return activities.Downloaded{Name: "v.mp4"}, nil
	})
	env.OnActivity(a.WriteReceipt, anything, anything).Return(func(_ context.Context, in activities.ReceiptInput) error {
		require.Equal(t, model, in.Model)
		require.Equal(t, &cost, in.Credits)
		return nil
	})
	input := request
	input.Model, input.Options = model, map[string]any{"resolution": "720p"}
	result := env.run(input).succeeds()
	require.Equal(t, model, result.Model)
	require.Equal(t, &cost, result.Credits)
	require.Equal(t, &cost, env.status().Credits)
	require.Equal(t, after, env.Now().Sub(started), "a lost callback of a two-minute model is noticed after three")
	for _, row := range kie.Models() {
		require.Greater(t, workflows.DefaultDeadline, row.Longest, row.Name)
	}
}

func TestOptionsThatTheModelLacks(t *testing.T) {
	env := newJobEnv(t)
	env.onSubmit(env.fails(activities.InvalidRequest))
	env.run(request).failsWith(workflows.InvalidRequest, "provider message", "correct the request")
}

// The model of an adopted task is the one in kie.ai's record.
func TestAdoptedModel(t *testing.T) {
	env := newJobEnv(t)
	env.OnActivity(a.Identify, anything, anything).Return(activities.Identified{TaskID: ourTask, Model: "aleph", CreatedAt: env.Now()}, nil)
	env.OnActivity(a.Poll, anything, anything).Return(func(_ context.Context, in activities.PollInput) (activities.Finished, error) {
		require.Equal(t, "aleph", in.Model)
		return activities.Finished{TaskID: ourTask, ResultURLs: []string{resultURL}, CompletedAt: env.Now(), Polls: 1}, nil
	})
	env.onStore()
	require.Equal(t, "aleph", env.run(workflows.ModifyVideoInput{TaskID: ourTask}).succeeds().Model)
}

// The cost of a failed task is a fact: kie.ai records 0 for it.
func TestCostOfFailedTask(t *testing.T) {
	env := newJobEnv(t)
	env.onSubmit(env.accepted(ourTask))
	env.OnActivity(a.Poll, anything, anything).Return(activities.Finished{},
		temporal.NewNonRetryableApplicationError("moderated", activities.GenerationFailed, nil, 3, 0.0))
	env.run(request).failsWith(workflows.GenerationFailed, "moderated")
	require.Equal(t, new(0.0), env.status().Credits)
	require.Equal(t, 3, env.status().Polls)
}
