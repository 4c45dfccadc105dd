package workflows_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"lumaflow/activities"
	"lumaflow/internal/store"
	"lumaflow/workflows"
)

var keepingSource = activities.Settings{Callbacks: true, PollAfter: 10 * time.Minute, KeepSource: true}

func keptSource() activities.KeptSource {
	return activities.KeptSource{ReceiptFile: &store.ReceiptFile{Name: "luma_source_" + ourTask + ".mp4", Bytes: 9}}
}

// sourceEnv runs jobs on workers that keep sources.
type sourceEnv struct {
	*jobEnv
	// receipts are those that were written.
	receipts []activities.ReceiptInput
	// ended is the time of the last receipt.
	ended time.Time
}

func newSourceEnv(t *testing.T) *sourceEnv {
	t.Helper()
	env := &sourceEnv{jobEnv: newJobEnv(t)}
	env.OnActivity(a.Download, anything, anything).Return(
		func(_ context.Context, in activities.DownloadInput) (activities.Downloaded, error) {
			return downloaded(in), nil
		})
	env.OnActivity(a.WriteReceipt, anything, anything).Return(func(_ context.Context, in activities.ReceiptInput) error {
		env.receipts, env.ended = append(env.receipts, in), env.Now()
		return nil
	})
	return env
}

// acceptedKeeping is a submission on a worker that keeps sources.
func (env *sourceEnv) acceptedKeeping(input activities.SubmitInput) (activities.Submitted, error) {
	return activities.Submitted{TaskID: ourTask, SubmittedAt: env.Now(), Attempts: input.Attempts + 1, Settings: keepingSource}, nil
}

// source is that of the only receipt.
func (env *sourceEnv) source() activities.KeptSource {
	env.t.Helper()
	require.Len(env.t, env.receipts, 1)
	require.NotNil(env.t, env.receipts[0].Source)
	return *env.receipts[0].Source
}

func retriesForever() error {
	return temporal.NewApplicationErrorWithOptions("the connection broke", activities.DownloadInterrupted, temporal.ApplicationErrorOptions{NextRetryDelay: time.Hour})
}

// The source is copied during the wait, and the receipt lists it or has the reason why
// it is missing. The job is done in every case, 10 minutes after its videos at the
// latest.
func TestKeepSource(t *testing.T) {
	const callback = 2 * time.Minute
	tests := []struct {
		name    string
		returns func(*sourceEnv)
		want    activities.KeptSource
		after   time.Duration
	}{
		{"stored", func(env *sourceEnv) {
			env.OnActivity(a.KeepSource, anything, activities.SourceInput{TaskID: ourTask, Name: "reel", URL: request.VideoURL}).
				Return(func(context.Context, activities.SourceInput) (activities.KeptSource, error) {
					require.Equal(t, workflows.StageWaiting, env.status().Stage)
					return keptSource(), nil
				})
		}, keptSource(), 0},
		{"missing", func(env *sourceEnv) {
			env.OnActivity(a.KeepSource, anything, anything).Return(activities.MissingSource("HTTP 404"), nil)
		}, activities.KeptSource{Missing: "HTTP 404"}, 0},
		{"stored after the videos", func(env *sourceEnv) {
			env.OnActivity(a.KeepSource, anything, anything).After(callback+3*time.Minute).Return(keptSource(), nil)
			env.checkStatusAfter(callback+time.Minute, func(status workflows.Status) {
				require.Equal(t, workflows.StageCollecting, status.Stage)
				require.Contains(t, status.Detail, "stored the video of task "+ourTask+"; the source is still being downloaded")
			})
		}, keptSource(), 3 * time.Minute},
		{"retried without an end", func(env *sourceEnv) {
			env.OnActivity(a.KeepSource, anything, anything).Return(activities.KeptSource{}, retriesForever())
		}, activities.KeptSource{Missing: "no attempt stored it within 10m0s after the videos"}, 10 * time.Minute},
		{"failed", func(env *sourceEnv) {
			env.OnActivity(a.KeepSource, anything, anything).Return(activities.KeptSource{}, temporal.NewNonRetryableApplicationError("a\nbug", "Odd", nil))
		}, activities.KeptSource{Missing: "it was not stored: a bug"}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			env := newSourceEnv(t)
			started := env.Now()
			env.onSubmit(env.acceptedKeeping).onPoll().sendSuccess(callback, ourTask)
			test.returns(env)
			input := request
			input.Name = "reel"
			require.Len(t, env.run(input).succeeds().Videos, 1)
			require.Equal(t, test.want, env.source())
			require.WithinDuration(t, started.Add(callback+test.after), env.ended, 10*time.Second)
		})
	}
}

// Without the setting nothing is copied.
func TestNoSource(t *testing.T) {
	env := newSourceEnv(t)
	env.onSubmit(env.accepted(ourTask)).onPoll().sendSuccess(time.Minute, ourTask)
	env.run(request).succeeds()
	require.Len(t, env.receipts, 1)
	require.Nil(t, env.receipts[0].Source)
	env.AssertNotCalled(t, "KeepSource", anything, anything)
}

// An adopted task has its source from kie.ai's record.
func TestSourceOfAnAdoptedTask(t *testing.T) {
	for _, echo := range []string{"https://echo.example.org/in.mp4", ""} {
		env := newSourceEnv(t)
		env.OnActivity(a.Identify, anything, anything).Return(
			activities.Identified{TaskID: ourTask, VideoURL: echo, CreatedAt: env.Now(), Settings: keepingSource}, nil)
		env.onPoll()
		want := activities.KeptSource{Missing: "kie.ai's record of the task names no source"}
		if echo != "" {
			env.OnActivity(a.KeepSource, anything, mock.MatchedBy(func(in activities.SourceInput) bool { return in.URL == echo })).Return(keptSource(), nil)
			want = keptSource()
		}
		env.run(workflows.ModifyVideoInput{TaskID: ourTask}).succeeds()
		require.Equal(t, want, env.source())
	}
}

// The record of a lost submission may be read by an activity that reports no setting.
func TestSourceOfARecoveredTask(t *testing.T) {
	env := newSourceEnv(t)
	lost := env.evidence(activities.PhaseSending, "")
	lost.Settings = keepingSource
	env.onSubmit(env.fails(activities.SubmitUnknown, lost)).onIdentify(ourTask, nil).onPoll().sendSuccess(time.Minute, ourTask)
	env.OnActivity(a.KeepSource, anything, mock.MatchedBy(func(in activities.SourceInput) bool { return in.URL == request.VideoURL })).Return(keptSource(), nil)
	env.run(request).succeeds()
	require.Equal(t, keptSource(), env.source())
}

// A job that fails or is cancelled does not wait for its source.
func TestEndWithoutSource(t *testing.T) {
	t.Run("failed", func(t *testing.T) {
		env := newSourceEnv(t)
		started := env.Now()
		env.onSubmit(env.acceptedKeeping).sendSuccess(time.Minute, ourTask)
		env.OnActivity(a.Poll, anything, anything).Return(activities.Finished{}, temporal.NewNonRetryableApplicationError("moderated", activities.GenerationFailed, nil))
		env.OnActivity(a.KeepSource, anything, anything).Return(activities.KeptSource{}, retriesForever())
		env.run(request).failsWith(workflows.GenerationFailed)
		require.WithinDuration(t, started.Add(time.Minute), env.Now(), 10*time.Second)
		require.Empty(t, env.receipts)
	})
	t.Run("cancelled", func(t *testing.T) {
		env := newSourceEnv(t)
		env.onSubmit(env.acceptedKeeping).onPoll().sendSuccess(time.Minute, ourTask)
		env.OnActivity(a.KeepSource, anything, anything).Return(activities.KeptSource{}, retriesForever())
		env.RegisterDelayedCallback(env.CancelWorkflow, 3*time.Minute)
		env.run(request)
		require.True(t, temporal.IsCanceledError(env.GetWorkflowError()), "%v", env.GetWorkflowError())
		require.Empty(t, env.receipts)
	})
}
