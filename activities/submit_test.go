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

func (f *fixture) submit(t *testing.T, input activities.SubmitInput) (activities.Submitted, error) {
	t.Helper()
	acts := f.register(t)
	var submitted activities.Submitted
	value, err := f.ExecuteActivity(acts.Submit, input)
	if err == nil {
		require.NoError(t, value.Get(&submitted))
	}
	return submitted, err
}

// answerSubmissions sets the answer to all submissions and returns their number.
func (f *fixture) answerSubmissions(taskID string, err error) *int {
	sent := 0
	f.provider.submit = func(context.Context, kie.SubmitRequest) (string, error) {
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

func holdOf(t *testing.T, failed *temporal.ApplicationError) (hold activities.Hold) {
	t.Helper()
	require.NoError(t, failed.Details(&hold))
	return hold
}

func (f *fixture) submitInput() activities.SubmitInput {
	return activities.SubmitInput{Prompt: "p", VideoURL: "https://x.example.org", Until: f.now.Add(24 * time.Hour)}
}

func TestSubmitStoresEvidenceBeforeAndAfter(t *testing.T) {
	f := newFixture(t)
	f.provider.submit = func(_ context.Context, request kie.SubmitRequest) (string, error) {
		require.Equal(t, []activities.Phase{activities.PhaseSending}, f.recorder.phases(), "the intent is stored before the first byte")
		require.Contains(t, request.CallbackURL, "https://hooks.example.org/callbacks/luma/")
		return taskID, nil
	}
	submitted, err := f.submit(t, f.submitInput())
	require.NoError(t, err)
	require.Equal(t, taskID, submitted.TaskID)
	require.Equal(t, 1, submitted.Attempts)
	require.Equal(t, activities.Settings{Callbacks: true, PollAfter: 10 * time.Minute}, submitted.Settings, "lumaflow v0.1 scheduled it")
	require.Equal(t, []activities.Phase{activities.PhaseSending, activities.PhaseAccepted}, f.recorder.phases())
	require.Equal(t, taskID, f.recorder.evidence[1].TaskID)
}

// Each class of kie error maps to one application error.
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
			f := newFixture(t)
			sent := f.answerSubmissions("", test.err)
			_, err := f.submit(t, f.submitInput())
			failed := failedAs(t, err)
			require.Equal(t, test.errorType, failed.Type())
			require.Equal(t, test.final, failed.NonRetryable())
			require.Equal(t, test.evidence, f.recorder.phases())
			require.Equal(t, 1, *sent)
		})
	}
}

// The evidence of an earlier attempt decides before anything is sent.
func TestSubmitReadsEarlierEvidence(t *testing.T) {
	tests := []struct {
		name      string
		evidence  activities.Evidence
		sent      int
		errorType string
		attempts  int
	}{
		{"accepted: the task is returned", activities.Evidence{Phase: activities.PhaseAccepted, TaskID: taskID, Attempts: 2}, 0, "", 2},
		{"sending: unknown", activities.Evidence{Phase: activities.PhaseSending, Attempts: 2}, 0, activities.SubmitUnknown, 0},
		{"refused: sent", activities.Evidence{Phase: activities.PhaseRefused, Attempts: 2}, 1, "", 3},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			sent := f.answerSubmissions(taskID, nil)
			f.SetHeartbeatDetails(test.evidence)
			submitted, err := f.submit(t, f.submitInput())
			require.Equal(t, test.sent, *sent)
			if test.errorType != "" {
				require.Equal(t, test.errorType, failedAs(t, err).Type())
				return
			}
			require.NoError(t, err)
			require.Equal(t, taskID, submitted.TaskID)
			require.Equal(t, test.attempts, submitted.Attempts)
		})
	}
}

// Evidence that can't be decrypted may be that of a submission.
func TestUndecodableEvidenceBlocksTheSubmission(t *testing.T) {
	f := newFixture(t)
	sent := f.answerSubmissions(taskID, nil)
	f.SetHeartbeatDetails("not an object")
	_, err := f.submit(t, f.submitInput())
	require.ErrorContains(t, err, "nothing is sent")
	require.False(t, failedAs(t, err).NonRetryable(), "another worker may have the key")
	require.Zero(t, *sent)
	require.Empty(t, f.recorder.phases(), "the evidence is not replaced")
}

// An attempt that can't store its intent on the server sends nothing.
func TestSubmitFence(t *testing.T) {
	tests := []struct {
		name string
		err  error
	}{
		{"the attempt was given up", serviceerror.NewNotFound("gone")},
		{"Temporal is unavailable", serviceerror.NewUnavailable("unavailable")},
		{"the job was cancelled", temporal.NewCanceledError()},
		{"the activity was paused", activity.ErrActivityPaused},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			sent := f.answerSubmissions(taskID, nil)
			f.recorder.refuse = map[activities.Phase]error{activities.PhaseSending: test.err}
			_, err := f.submit(t, f.submitInput())
			require.Error(t, err)
			require.Zero(t, *sent)
			require.Equal(t, []activities.Phase{activities.PhaseRefused}, f.recorder.phases(), "the intent is revoked")
			if failed, ok := errors.AsType[*temporal.ApplicationError](err); ok {
				require.False(t, failed.NonRetryable())
			}
		})
	}
}

// The outcome of a submission is stored with retries until Temporal takes it.
func TestSubmitStoresTheOutcome(t *testing.T) {
	gone := serviceerror.NewNotFound("gone")
	refusal := &kie.Error{Class: kie.Refused, Code: 422}
	tests := []struct {
		name      string
		answer    error
		recorder  *recorder
		phases    []activities.Phase
		signalled []activities.Phase
	}{
		{"accepted while Temporal is unavailable for a while", nil,
			&recorder{unavailable: map[activities.Phase]int{activities.PhaseAccepted: 2}},
			[]activities.Phase{activities.PhaseSending, activities.PhaseAccepted}, nil},
		{"accepted after the attempt was given up", nil,
			&recorder{refuse: map[activities.Phase]error{activities.PhaseAccepted: gone}},
			[]activities.Phase{activities.PhaseSending}, []activities.Phase{activities.PhaseAccepted}},
		{"accepted, Temporal unavailable, then the attempt was given up", nil,
			&recorder{unavailable: map[activities.Phase]int{activities.PhaseAccepted: 1}, refuse: map[activities.Phase]error{activities.PhaseAccepted: gone}},
			[]activities.Phase{activities.PhaseSending}, []activities.Phase{activities.PhaseAccepted}},
		{"refused after the attempt was given up", refusal,
			&recorder{refuse: map[activities.Phase]error{activities.PhaseRefused: gone}},
			[]activities.Phase{activities.PhaseSending}, []activities.Phase{activities.PhaseRefused}},
		{"accepted after the job was over", nil,
			&recorder{refuse: map[activities.Phase]error{activities.PhaseAccepted: gone}, signalError: gone},
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
			f := newFixture(t)
			f.recorder = test.recorder
			f.options.Recorder = f.recorder
			sent := f.answerSubmissions(taskID, test.answer)
			submitted, err := f.submit(t, f.submitInput())
			require.Equal(t, 1, *sent)
			require.Equal(t, test.phases, f.recorder.phases())
			var signalled []activities.Phase
			for _, evidence := range f.recorder.signalled {
				signalled = append(signalled, evidence.Phase)
				require.Equal(t, f.recorder.evidence[0].At, evidence.At, "the time identifies the attempt")
				if evidence.Phase == activities.PhaseAccepted {
					require.Equal(t, taskID, evidence.TaskID)
				}
			}
			require.Equal(t, test.signalled, signalled)
			if test.answer != nil {
				require.Equal(t, activities.SubmitRefused, failedAs(t, err).Type())
				return
			}
			require.NoError(t, err)
			require.Equal(t, taskID, submitted.TaskID)
		})
	}
}

// A worker that stops does not wait for an unavailable Temporal.
func TestSubmitStopsWithItsWorker(t *testing.T) {
	f := newFixture(t)
	f.answerSubmissions(taskID, nil)
	f.recorder.refuse = map[activities.Phase]error{activities.PhaseAccepted: serviceerror.NewUnavailable("unavailable")}
	stopping := make(chan struct{})
	close(stopping)
	f.SetWorkerStopChannel(stopping)
	submitted, err := f.submit(t, f.submitInput())
	require.NoError(t, err)
	require.Equal(t, taskID, submitted.TaskID)
}

func TestNothingIsSentAfterTheDeadline(t *testing.T) {
	f := newFixture(t)
	sent := f.answerSubmissions(taskID, nil)
	input := f.submitInput()
	input.Until = f.now
	_, err := f.submit(t, input)
	require.Equal(t, activities.SubmitRefused, failedAs(t, err).Type())
	require.Zero(t, *sent)
	require.Empty(t, f.recorder.phases())
}

// The expiry of an upload ends a submission as the deadline does, and the error
// names it.
func TestNothingIsSentAfterTheUploadExpires(t *testing.T) {
	tests := []struct {
		name    string
		err     error
		in      time.Duration
		sent    int
		message string
	}{
		{"already", nil, 0, 0, "no worker was free before the uploaded video expired at "},
		{"held for longer", &kie.Error{Class: kie.Held, Code: 402}, time.Minute, 1, "kie.ai held the job (not enough credits) until the uploaded video expired at "},
		{"out of reach for longer", &kie.Error{Class: kie.NotSent}, time.Millisecond, 1, "kie.ai could not be reached before the uploaded video expired at "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			sent := f.answerSubmissions(taskID, test.err)
			input := f.submitInput()
			input.Until, input.Expires = f.now.Add(test.in), true
			_, err := f.submit(t, input)
			failed := failedAs(t, err)
			require.Equal(t, activities.VideoExpired, failed.Type())
			require.True(t, failed.NonRetryable())
			require.Contains(t, failed.Message(), "nothing was submitted or charged: "+test.message+input.Until.UTC().Format(time.RFC3339))
			require.Equal(t, test.sent, *sent)
		})
	}
}

func TestUnsentSubmissionIsNotCounted(t *testing.T) {
	f := newFixture(t)
	f.answerSubmissions("", &kie.Error{Class: kie.NotSent})
	_, err := f.submit(t, f.submitInput())
	require.Error(t, err)
	require.Zero(t, f.recorder.evidence[len(f.recorder.evidence)-1].Attempts)
}

func TestHold(t *testing.T) {
	hold := activities.Hold{Code: 402, Reason: "not enough credits"}
	t.Run("is returned to the job with its reason and time", func(t *testing.T) {
		f := newFixture(t)
		f.answerSubmissions("", &kie.Error{Class: kie.Held, Code: 402})
		_, err := f.submit(t, f.submitInput())
		var returned activities.Hold
		require.NoError(t, failedAs(t, err).Details(&returned))
		require.Equal(t, 402, returned.Code)
		require.NotEmpty(t, returned.Reason)
		require.WithinDuration(t, f.now.Add(5*time.Minute), returned.Until, time.Second)
	})
	t.Run("that has not ended sends nothing", func(t *testing.T) {
		f := newFixture(t)
		sent := f.answerSubmissions(taskID, nil)
		input := f.submitInput()
		hold.Until = f.now.Add(time.Minute)
		input.Held = &hold
		_, err := f.submit(t, input)
		failed := failedAs(t, err)
		require.Equal(t, activities.Held, failed.Type())
		require.Equal(t, time.Minute, failed.NextRetryDelay())
		require.Zero(t, *sent)
		require.Empty(t, f.recorder.phases())
	})
	t.Run("that the job shows is retried by the server", func(t *testing.T) {
		f := newFixture(t)
		f.answerSubmissions("", &kie.Error{Class: kie.Held, Code: 402})
		input := f.submitInput()
		hold.Until = f.now.Add(-time.Second)
		input.Held = &hold
		_, err := f.submit(t, input)
		failed := failedAs(t, err)
		require.False(t, failed.NonRetryable())
		require.Equal(t, 5*time.Minute, failed.NextRetryDelay())
	})
	t.Run("with a new reason is returned to the job", func(t *testing.T) {
		f := newFixture(t)
		f.answerSubmissions("", &kie.Error{Class: kie.Held, Code: 455})
		input := f.submitInput()
		hold.Until = f.now.Add(-time.Second)
		input.Held = &hold
		_, err := f.submit(t, input)
		require.True(t, failedAs(t, err).NonRetryable())
	})
	t.Run("beyond the deadline is a refusal", func(t *testing.T) {
		f := newFixture(t)
		f.answerSubmissions("", &kie.Error{Class: kie.Held, Code: 402})
		input := f.submitInput()
		input.Until = f.now.Add(time.Minute)
		_, err := f.submit(t, input)
		failed := failedAs(t, err)
		require.Equal(t, activities.SubmitRefused, failed.Type())
		require.Contains(t, failed.Message(), "nothing was submitted or charged")
	})
}

func TestSubmitOutlivesACancelledContext(t *testing.T) {
	f := newFixture(t)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	f.SetWorkerOptions(worker.Options{BackgroundActivityContext: cancelled})
	f.provider.submit = func(ctx context.Context, _ kie.SubmitRequest) (string, error) {
		require.NoError(t, ctx.Err())
		deadline, ok := ctx.Deadline()
		require.True(t, ok)
		require.LessOrEqual(t, time.Until(deadline), activities.SubmissionTimeout)
		return taskID, nil
	}
	_, err := f.submit(t, f.submitInput())
	require.NoError(t, err)
}

// While the account has no credit one job of a batch at a time submits, the others
// wait for its answer; a job of no batch is not held back.
func TestOneProbe(t *testing.T) {
	f := newFixture(t)
	acts := f.register(t)
	refused := &kie.Error{Class: kie.Held, Code: 402}
	ofBatch, single := f.submitInput(), f.submitInput()
	ofBatch.Batch = "shots"
	submit := func(input activities.SubmitInput, answer error, sent bool) error {
		t.Helper()
		requests := f.answerSubmissions(taskID, answer)
		_, err := f.ExecuteActivity(acts.Submit, input)
		require.Equal(t, sent, *requests == 1)
		return err
	}
	require.Error(t, submit(ofBatch, refused, true))
	failed := failedAs(t, submit(ofBatch, nil, false))
	require.Equal(t, activities.Held, failed.Type())
	hold := holdOf(t, failed)
	require.Equal(t, 402, hold.Code)
	require.WithinDuration(t, f.now.Add(2*time.Minute), hold.Until, 0, "it looks again before the next probe")
	require.Error(t, submit(single, refused, true), "a job of no batch submits")
	f.now = f.now.Add(5 * time.Minute)
	require.Error(t, submit(ofBatch, refused, true), "the next probe")
	require.Error(t, submit(ofBatch, nil, false))
	f.now = f.now.Add(5 * time.Minute)
	require.NoError(t, submit(ofBatch, nil, true))
	require.NoError(t, submit(ofBatch, nil, true), "an accepted probe lets all go on")
}

// While a probe is under way no other begins, and a job that meets it looks soon for
// its answer.
func TestProbeUnderWay(t *testing.T) {
	f := newFixture(t)
	acts := f.register(t)
	input := f.submitInput()
	input.Batch = "shots"
	f.answerSubmissions("", &kie.Error{Class: kie.Held, Code: 402})
	_, err := f.ExecuteActivity(acts.Submit, input)
	require.Error(t, err)
	f.now = f.now.Add(5 * time.Minute)
	f.answerSubmissions("", &kie.Error{Class: kie.NotSent})
	_, err = f.ExecuteActivity(acts.Submit, input)
	require.Error(t, err, "a probe that is not sent")
	probes := 0
	f.provider.submit = func(context.Context, kie.SubmitRequest) (string, error) {
		probes++
		// The activities of one worker share the state of the account.
		other := newFixture(t)
		other.RegisterActivity(acts.Submit)
		_, err := other.ExecuteActivity(acts.Submit, input)
		var hold activities.Hold
		require.NoError(t, failedAs(t, err).Details(&hold))
		require.WithinDuration(t, f.now.Add(5*time.Second), hold.Until, 0)
		return taskID, nil
	}
	_, err = f.ExecuteActivity(acts.Submit, input)
	require.NoError(t, err)
	require.Equal(t, 1, probes)
	f.answerSubmissions(taskID, nil)
	_, err = f.ExecuteActivity(acts.Submit, input)
	require.NoError(t, err, "the answer lets the others go on at once")
}

// Only the job that the batch has elected probes, also on a worker that has received no
// refusal.
func TestOneProbeOfABatch(t *testing.T) {
	f := newFixture(t)
	acts := f.register(t)
	refused := &kie.Error{Class: kie.Held, Code: 402}
	held := f.submitInput()
	refusedAt := f.now.Add(-5 * time.Minute).UTC()
	held.Batch, held.Held = "shots", &activities.Hold{Code: 402, Reason: kie.Reason(402), RefusedAt: refusedAt, Until: f.now}
	submit := func(answer error, sent bool) error {
		t.Helper()
		requests := f.answerSubmissions(taskID, answer)
		_, err := f.ExecuteActivity(acts.Submit, held)
		require.Equal(t, sent, *requests == 1)
		return err
	}
	f.ledger.probe = "another-job"
	for range 3 {
		failed := failedAs(t, submit(nil, false))
		require.Equal(t, activities.Held, failed.Type())
		require.Equal(t, 2*time.Minute, failed.NextRetryDelay())
		require.Equal(t, refusedAt, holdOf(t, failed).RefusedAt, "a look is no refusal")
		f.now = f.now.Add(5 * time.Minute)
	}
	f.ledger.probe = "default-test-workflow-id"
	failed := failedAs(t, submit(refused, true))
	refusedAt = f.now.UTC()
	require.True(t, refusedAt.Equal(holdOf(t, failed).RefusedAt), "the elected job submits")
	f.now = f.now.Add(5 * time.Minute)
	f.ledger.probe = "another-job"
	require.True(t, refusedAt.Equal(holdOf(t, failedAs(t, submit(nil, false))).RefusedAt))
	// The other job was accepted.
	f.ledger.probe = ""
	require.NoError(t, submit(nil, true))
	require.NoError(t, submit(nil, true))
}
