package workflows_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"lumaflow/activities"
	"lumaflow/workflows"
)

// uploadedFor is a request whose video kie.ai deletes after lifetime.
func (env *jobEnv) uploadedFor(lifetime time.Duration) workflows.ModifyVideoInput {
	input := request
	input.VideoSHA256 = strings.Repeat("0a", 32)
	input.VideoExpires = env.Now().Add(lifetime).UTC().Format(time.RFC3339)
	return input
}

// A submission is made before the deadline and before the upload is deleted.
func TestSubmissionsEndWithTheUpload(t *testing.T) {
	tests := []struct {
		name              string
		lifetime          time.Duration
		deadline          string
		until             time.Duration
		endsWithTheUpload bool
	}{
		{"the upload expires first", 23 * time.Hour, "", 23 * time.Hour, true},
		{"the deadline comes first", 23 * time.Hour, "2h", 2 * time.Hour, false},
		{"the upload has expired", -time.Hour, "", -time.Hour, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			env := newJobEnv(t)
			started := env.Now()
			input := env.uploadedFor(test.lifetime)
			input.Deadline = test.deadline
			env.onSubmit(func(in activities.SubmitInput) (activities.Submitted, error) {
				require.WithinDuration(t, started.Add(test.until), in.Until, 2*time.Second)
				require.Equal(t, test.endsWithTheUpload, in.Expires)
				return env.accepted(ourTask)(in)
			}).onPoll().onStore().sendSuccess(time.Minute, ourTask)
			env.run(input).succeeds()
		})
	}
}

func TestUploadExpires(t *testing.T) {
	const next = "Next: run the same submit command again; it uploads the video again"
	expires := func(env *jobEnv) func(activities.SubmitInput) (activities.Submitted, error) {
		return env.fails(activities.VideoExpired, env.evidence(activities.PhaseRefused, ""))
	}
	t.Run("while kie.ai holds the job", func(t *testing.T) {
		env := newJobEnv(t)
		env.onSubmit(env.fails(activities.Held, activities.Hold{Code: 402, Reason: "not enough credits", Attempts: 1}), expires(env))
		env.run(env.uploadedFor(time.Hour)).failsWith(workflows.SubmitRefused, "provider message", next)
	})
	t.Run("while workers die", func(t *testing.T) {
		env := newJobEnv(t).withoutSubmitRetries()
		env.OnActivity(a.Submit, anything, anything).Return(func(_ ctx, in activities.SubmitInput) (activities.Submitted, error) {
			return env.timesOut(enumspb.TIMEOUT_TYPE_HEARTBEAT)(in)
		}).After(time.Minute)
		env.run(env.uploadedFor(10*time.Minute)).failsWith(workflows.SubmitRefused, "nothing was charged", next)
	})
	t.Run("while no worker polls", func(t *testing.T) {
		env := newJobEnv(t)
		input := env.uploadedFor(time.Hour)
		env.OnActivity(a.Submit, anything, anything).Return(activities.Submitted{}, temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START, nil)).After(65 * time.Minute)
		env.run(input).failsWith(workflows.SubmitRefused, "nothing was charged", next)
	})
	// The refusal of the last submission must not hide an earlier one.
	t.Run("before an operator submits again", func(t *testing.T) {
		env := newJobEnv(t)
		env.onSubmit(env.unknown(), expires(env)).sendResolution(30*time.Minute, workflows.Resolution{Action: "resubmit"})
		env.run(env.uploadedFor(time.Hour)).failsWith(workflows.SubmitUnknown, "check whether the earlier submission was paid", "https://kie.ai/logs")
		require.NotContains(t, env.status().Detail, "run the same submit command again")
	})
}
