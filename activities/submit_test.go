package activities_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"

	"lumaflow/activities"
	"lumaflow/internal/kie"
)

func (b *bench) submit(t *testing.T, input activities.SubmitInput) (activities.Submitted, error) {
	t.Helper()
	acts := b.register(t)
	var submitted activities.Submitted
	value, err := b.ExecuteActivity(acts.Submit, input)
	if err == nil {
		require.NoError(t, value.Get(&submitted))
	}
	return submitted, err
}

// sends counts the submissions and answers them all alike.
func (b *bench) sends(taskID string, err error) *int {
	sent := 0
	b.provider.submit = func(context.Context, kie.SubmitRequest) (string, error) {
		sent++
		return taskID, err
	}
	return &sent
}

func failedAs(t *testing.T, err error) *temporal.ApplicationError {
	t.Helper()
	var failed *temporal.ApplicationError
	require.ErrorAs(t, err, &failed)
	return failed
}

func (b *bench) input() activities.SubmitInput {
	return activities.SubmitInput{Prompt: "p", VideoURL: "https://x.example.org", Until: b.now.Add(24 * time.Hour)}
}

func TestSubmitLeavesEvidenceBeforeAndAfter(t *testing.T) {
	b := newBench(t)
	b.provider.submit = func(_ context.Context, request kie.SubmitRequest) (string, error) {
		require.Equal(t, []activities.Phase{activities.PhaseSending}, b.recorder.phases(), "the intent is stored before the first byte")
		require.Contains(t, request.CallbackURL, "https://hooks.example.org/callbacks/luma/")
		return task, nil
	}
	submitted, err := b.submit(t, b.input())
	require.NoError(t, err)
	require.Equal(t, task, submitted.TaskID)
	require.Equal(t, 1, submitted.Attempts)
	require.Equal(t, activities.Settings{Callbacks: true, PollAfter: 10 * time.Minute}, submitted.Settings)
	require.Equal(t, []activities.Phase{activities.PhaseSending, activities.PhaseAccepted}, b.recorder.phases())
	require.Equal(t, task, b.recorder.evidence[1].TaskID)
}

// Each class of luma has one fate.
func TestSubmitOutcomes(t *testing.T) {
	const sending, refused = activities.PhaseSending, activities.PhaseRefused
	tests := []struct {
		name      string
		err       error
		errorType string
		final     bool
		evidence  []activities.Phase
		after     time.Duration
	}{
		{"not sent", &kie.Error{Class: kie.NotSent}, activities.NotSent, false, []activities.Phase{sending, refused}, 0},
		{"held", &kie.Error{Class: kie.Held, Code: 402}, activities.Held, true, []activities.Phase{sending, refused}, 0},
		{"refused", &kie.Error{Class: kie.Refused, Code: 422}, activities.SubmitRefused, true, []activities.Phase{sending, refused}, 0},
		{"unknown", &kie.Error{Class: kie.Unknown}, activities.SubmitUnknown, true, []activities.Phase{sending}, 0},
		{"an error of no class is unknown", errors.New("odd"), activities.SubmitUnknown, true, []activities.Phase{sending}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			sent := b.sends("", test.err)
			_, err := b.submit(t, b.input())
			failed := failedAs(t, err)
			require.Equal(t, test.errorType, failed.Type())
			require.Equal(t, test.final, failed.NonRetryable())
			require.Equal(t, test.evidence, b.recorder.phases())
			require.Equal(t, 1, *sent)
		})
	}
}

// What an earlier attempt left decides before anything is sent.
func TestSubmitReadsEarlierEvidence(t *testing.T) {
	tests := []struct {
		name      string
		evidence  activities.Evidence
		sent      int
		errorType string
		attempts  int
	}{
		{"accepted: the task is returned", activities.Evidence{Phase: activities.PhaseAccepted, TaskID: task, Attempts: 2}, 0, "", 2},
		{"sending: unknown", activities.Evidence{Phase: activities.PhaseSending, Attempts: 2}, 0, activities.SubmitUnknown, 0},
		{"refused: sent", activities.Evidence{Phase: activities.PhaseRefused, Attempts: 2}, 1, "", 3},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			sent := b.sends(task, nil)
			b.SetHeartbeatDetails(test.evidence)
			submitted, err := b.submit(t, b.input())
			require.Equal(t, test.sent, *sent)
			if test.errorType != "" {
				require.Equal(t, test.errorType, failedAs(t, err).Type())
				return
			}
			require.NoError(t, err)
			require.Equal(t, task, submitted.TaskID)
			require.Equal(t, test.attempts, submitted.Attempts)
		})
	}
}

// Evidence that can't be read, encrypted with a key of other workers, may be that
// of a submission.
func TestNothingIsSentOverEvidenceThatCannotBeRead(t *testing.T) {
	b := newBench(t)
	sent := b.sends(task, nil)
	b.SetHeartbeatDetails("no evidence at all")
	_, err := b.submit(t, b.input())
	require.ErrorContains(t, err, "nothing is sent")
	require.False(t, failedAs(t, err).NonRetryable(), "another worker may be able to")
	require.Zero(t, *sent)
	require.Empty(t, b.recorder.phases(), "it stays for those who can")
}

// An attempt that can't leave its intent on the server sends nothing.
func TestSubmitFence(t *testing.T) {
	tests := []struct {
		name string
		err  error
	}{
		{"the attempt was given up", serviceerror.NewNotFound("gone")},
		{"temporal is away", serviceerror.NewUnavailable("away")},
		{"the job was cancelled", temporal.NewCanceledError()},
		{"the activity was paused", activity.ErrActivityPaused},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			sent := b.sends(task, nil)
			b.recorder.refuse = map[activities.Phase]error{activities.PhaseSending: test.err}
			_, err := b.submit(t, b.input())
			require.Error(t, err)
			require.Zero(t, *sent)
			require.Equal(t, []activities.Phase{activities.PhaseRefused}, b.recorder.phases(), "it is taken back")
			var failed *temporal.ApplicationError
			if errors.As(err, &failed) {
				require.False(t, failed.NonRetryable())
			}
		})
	}
}

// What became of a submission is told until Temporal has it.
func TestSubmitTellsTheOutcome(t *testing.T) {
	gone := serviceerror.NewNotFound("gone")
	refusal := &kie.Error{Class: kie.Refused, Code: 422}
	tests := []struct {
		name      string
		answer    error
		recorder  *recorder
		phases    []activities.Phase
		signalled []activities.Phase
	}{
		{"accepted while temporal was away for a while", nil,
			&recorder{away: map[activities.Phase]int{activities.PhaseAccepted: 2}},
			[]activities.Phase{activities.PhaseSending, activities.PhaseAccepted}, nil},
		{"accepted after the attempt was given up", nil,
			&recorder{refuse: map[activities.Phase]error{activities.PhaseAccepted: gone}},
			[]activities.Phase{activities.PhaseSending}, []activities.Phase{activities.PhaseAccepted}},
		{"accepted when temporal is back and the attempt was given up", nil,
			&recorder{away: map[activities.Phase]int{activities.PhaseAccepted: 1}, refuse: map[activities.Phase]error{activities.PhaseAccepted: gone}},
			[]activities.Phase{activities.PhaseSending}, []activities.Phase{activities.PhaseAccepted}},
		{"refused after the attempt was given up", refusal,
			&recorder{refuse: map[activities.Phase]error{activities.PhaseRefused: gone}},
			[]activities.Phase{activities.PhaseSending}, []activities.Phase{activities.PhaseRefused}},
		{"accepted after the job was over", nil,
			&recorder{refuse: map[activities.Phase]error{activities.PhaseAccepted: gone}, over: gone},
			[]activities.Phase{activities.PhaseSending}, nil},
		{"accepted for a job that is being cancelled", nil,
			&recorder{refuse: map[activities.Phase]error{activities.PhaseAccepted: temporal.NewCanceledError()}},
			[]activities.Phase{activities.PhaseSending}, nil},
		{"accepted by an activity that is being paused", nil,
			&recorder{refuse: map[activities.Phase]error{activities.PhaseAccepted: activity.ErrActivityPaused}},
			[]activities.Phase{activities.PhaseSending}, nil},
		{"refused to an activity that is being reset", refusal,
			&recorder{refuse: map[activities.Phase]error{activities.PhaseRefused: activity.ErrActivityReset}},
			[]activities.Phase{activities.PhaseSending}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			b.recorder = test.recorder
			b.options.Recorder = b.recorder
			sent := b.sends(task, test.answer)
			submitted, err := b.submit(t, b.input())
			require.Equal(t, 1, *sent)
			require.Equal(t, test.phases, b.recorder.phases())
			var signalled []activities.Phase
			for _, evidence := range b.recorder.signalled {
				signalled = append(signalled, evidence.Phase)
				require.Equal(t, b.recorder.evidence[0].At, evidence.At, "the job can tell which attempt it was")
				if evidence.Phase == activities.PhaseAccepted {
					require.Equal(t, task, evidence.TaskID)
				}
			}
			require.Equal(t, test.signalled, signalled)
			if test.answer != nil {
				require.Equal(t, activities.SubmitRefused, failedAs(t, err).Type())
				return
			}
			require.NoError(t, err)
			require.Equal(t, task, submitted.TaskID)
		})
	}
}

// A worker that must stop while Temporal is away does not wait for it.
func TestSubmitStopsWithItsWorker(t *testing.T) {
	b := newBench(t)
	b.sends(task, nil)
	b.recorder.refuse = map[activities.Phase]error{activities.PhaseAccepted: serviceerror.NewUnavailable("away")}
	stopping := make(chan struct{})
	close(stopping)
	b.SetWorkerStopChannel(stopping)
	submitted, err := b.submit(t, b.input())
	require.NoError(t, err)
	require.Equal(t, task, submitted.TaskID)
}

func TestNothingIsSentAfterTheDeadline(t *testing.T) {
	b := newBench(t)
	sent := b.sends(task, nil)
	input := b.input()
	input.Until = b.now
	_, err := b.submit(t, input)
	require.Equal(t, activities.SubmitRefused, failedAs(t, err).Type())
	require.Zero(t, *sent)
	require.Empty(t, b.recorder.phases())
}

// An upload that will be deleted ends a submission as the deadline does, and is
// named.
func TestNothingIsSentAfterTheUploadExpires(t *testing.T) {
	tests := []struct {
		name string
		err  error
		in   time.Duration
		sent int
		says string
	}{
		{"already", nil, 0, 0, "no worker was free before the uploaded video expired at "},
		{"held for longer", &kie.Error{Class: kie.Held, Code: 402}, time.Minute, 1, "kie.ai held the job (not enough credits) until the uploaded video expired at "},
		{"out of reach for longer", &kie.Error{Class: kie.NotSent}, time.Millisecond, 1, "kie.ai could not be reached before the uploaded video expired at "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			sent := b.sends(task, test.err)
			input := b.input()
			input.Until, input.Expires = b.now.Add(test.in), true
			_, err := b.submit(t, input)
			failed := failedAs(t, err)
			require.Equal(t, activities.VideoExpired, failed.Type())
			require.True(t, failed.NonRetryable())
			require.Contains(t, failed.Message(), "nothing was submitted or charged: "+test.says+input.Until.UTC().Format(time.RFC3339))
			require.Equal(t, test.sent, *sent)
		})
	}
}

func TestWhatWasNotSentIsNoAttempt(t *testing.T) {
	b := newBench(t)
	b.sends("", &kie.Error{Class: kie.NotSent})
	_, err := b.submit(t, b.input())
	require.Error(t, err)
	require.Zero(t, b.recorder.evidence[len(b.recorder.evidence)-1].Attempts)
}

func TestHold(t *testing.T) {
	hold := activities.Hold{Code: 402, Reason: "not enough credits"}
	t.Run("is told to the job with its reason and time", func(t *testing.T) {
		b := newBench(t)
		b.sends("", &kie.Error{Class: kie.Held, Code: 402})
		_, err := b.submit(t, b.input())
		var told activities.Hold
		require.NoError(t, failedAs(t, err).Details(&told))
		require.Equal(t, 402, told.Code)
		require.NotEmpty(t, told.Reason)
		require.WithinDuration(t, b.now.Add(5*time.Minute), told.Until, time.Second)
	})
	t.Run("that is not over sends nothing", func(t *testing.T) {
		b := newBench(t)
		sent := b.sends(task, nil)
		input := b.input()
		hold.Until = b.now.Add(time.Minute)
		input.Held = &hold
		_, err := b.submit(t, input)
		failed := failedAs(t, err)
		require.Equal(t, activities.Held, failed.Type())
		require.Equal(t, time.Minute, failed.NextRetryDelay())
		require.Zero(t, *sent)
		require.Empty(t, b.recorder.phases())
	})
	t.Run("that the job shows is retried by the server", func(t *testing.T) {
		b := newBench(t)
		b.sends("", &kie.Error{Class: kie.Held, Code: 402})
		input := b.input()
		hold.Until = b.now.Add(-time.Second)
		input.Held = &hold
		_, err := b.submit(t, input)
		failed := failedAs(t, err)
		require.False(t, failed.NonRetryable())
		require.Equal(t, 5*time.Minute, failed.NextRetryDelay())
	})
	t.Run("with a new reason is told to the job", func(t *testing.T) {
		b := newBench(t)
		b.sends("", &kie.Error{Class: kie.Held, Code: 455})
		input := b.input()
		hold.Until = b.now.Add(-time.Second)
		input.Held = &hold
		_, err := b.submit(t, input)
		require.True(t, failedAs(t, err).NonRetryable())
	})
	t.Run("beyond the deadline is a refusal", func(t *testing.T) {
		b := newBench(t)
		b.sends("", &kie.Error{Class: kie.Held, Code: 402})
		input := b.input()
		input.Until = b.now.Add(time.Minute)
		_, err := b.submit(t, input)
		failed := failedAs(t, err)
		require.Equal(t, activities.SubmitRefused, failed.Type())
		require.Contains(t, failed.Message(), "nothing was submitted or charged")
	})
}

func TestSubmitOutlivesACancelledContext(t *testing.T) {
	b := newBench(t)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	b.SetWorkerOptions(worker.Options{BackgroundActivityContext: cancelled})
	b.provider.submit = func(ctx context.Context, _ kie.SubmitRequest) (string, error) {
		require.NoError(t, ctx.Err())
		deadline, ok := ctx.Deadline()
		require.True(t, ok)
		require.LessOrEqual(t, time.Until(deadline), activities.SubmissionTimeout)
		return task, nil
	}
	_, err := b.submit(t, b.input())
	require.NoError(t, err)
}
