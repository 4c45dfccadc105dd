package activities_test

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/converter"

	"lumaflow/activities"
	"lumaflow/internal/kie"
	"lumaflow/internal/paid/runs"
	"lumaflow/test/historyfile"
)

// testRun is the run id of the SDK's test environment.
const testRun = "default-test-run-id"

// A run other than the one that may send submits nothing. The input of lumaflow v0.1
// does not name that run: it is the first of the chain.
func TestLaterRunSendsNothing(t *testing.T) {
	tests := []struct {
		name, run, first string
		unread           error
		sent             int
		errorType        string
	}{
		{"named: this run", testRun, "another", nil, 1, ""},
		{"named: another run", "another", testRun, nil, 0, activities.LaterRun},
		{"v0.1: the first run", "", testRun, nil, 1, ""},
		{"v0.1: a later run", "", "another", nil, 0, activities.LaterRun},
		{"v0.1: the server does not report the first run", "", "", nil, 1, ""},
		{"v0.1: the first run can't be read", "", testRun, serviceerror.NewUnavailable("unavailable"), 0, "wrapError"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			f.ledger.first, f.ledger.err = test.first, test.unread
			sent := f.answerSubmissions(taskID, nil)
			input := f.submitInput()
			input.Run = test.run
			_, err := f.submit(t, input)
			require.Equal(t, test.sent, *sent)
			if test.errorType == "" {
				require.NoError(t, err)
				return
			}
			failed := failedAs(t, err)
			require.Equal(t, test.errorType, failed.Type())
			require.Equal(t, test.unread == nil, failed.NonRetryable())
			require.Empty(t, f.recorder.phases())
			require.Empty(t, f.ledger.intents)
		})
	}
}

// A worker of lumaflow v0.1 sends for any run, so the evidence of a later run counts.
func TestLaterRunKeepsItsEvidence(t *testing.T) {
	f := newFixture(t)
	f.ledger.first = "another"
	sent := f.answerSubmissions(taskID, nil)
	f.SetHeartbeatDetails(activities.Evidence{Phase: activities.PhaseAccepted, TaskID: taskID, Attempts: 1})
	submitted, err := f.submit(t, f.submitInput())
	require.NoError(t, err)
	require.Equal(t, taskID, submitted.TaskID)
	require.Zero(t, *sent)
}

// A run of lumaflow v0.1 was reset past the schedule of its submission, and the copy
// reaches a worker of this release.
func TestCopiedScheduleOfAnOldReleaseSendsNothing(t *testing.T) {
	for _, name := range []string{"reset-while-in-flight", "reset-while-it-submits-again", "retry-policy", "cron"} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.ledger.first = "the first run"
			sent := f.answerSubmissions(taskID, nil)
			input := lastSubmission(t, "v0.1."+name+".run-2")
			require.Empty(t, input.Run)
			f.now = input.Until.Add(-time.Hour)
			_, err := f.submit(t, input)
			require.Equal(t, activities.LaterRun, failedAs(t, err).Type())
			require.Zero(t, *sent)
		})
	}
}

// lastSubmission is the input of the last submission in a recorded history.
func lastSubmission(t *testing.T, name string) (input activities.SubmitInput) {
	t.Helper()
	history, err := historyfile.Read(filepath.Join("../workflows/testdata/histories", name+".json"))
	require.NoError(t, err)
	for _, event := range slices.Backward(history.GetEvents()) {
		if scheduled := event.GetActivityTaskScheduledEventAttributes(); scheduled.GetActivityType().GetName() == "Submit" {
			require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(scheduled.GetInput(), &input))
			return input
		}
	}
	require.Fail(t, "the history has no submission", name)
	return input
}

// An attempt sends only if the history of its run has its intent, and no earlier
// one of the same activity.
func TestIntent(t *testing.T) {
	earlier := runs.Intent{ID: "earlier", At: time.Date(2026, 11, 27, 3, 0, 0, 0, time.UTC), Attempts: 2}
	tests := []struct {
		name     string
		evidence *activities.Evidence
		intents  []runs.Intent
		refused  error
		unread   error
		sent     int
		declared int
		// errorType is empty for a submission that is accepted.
		errorType string
	}{
		{name: "the first attempt declares it", sent: 1, declared: 1},
		{name: "a retry of a refused attempt keeps it", sent: 1, declared: 1, intents: []runs.Intent{earlier},
			evidence: &activities.Evidence{Phase: activities.PhaseRefused, Intent: "earlier", Declared: true}},
		{name: "a retry of an attempt that could not read it back finds it", sent: 1, declared: 1, intents: []runs.Intent{earlier},
			evidence: &activities.Evidence{Phase: activities.PhaseRefused, Intent: "earlier"}},
		{name: "an attempt whose evidence was reset is unknown", declared: 1, intents: []runs.Intent{earlier}, errorType: activities.SubmitUnknown},
		{name: "the run is over", refused: serviceerror.NewNotFound("closed"), errorType: "wrapError"},
		{name: "Temporal does not take it", refused: serviceerror.NewUnavailable("unavailable"), errorType: activities.NotSent},
		{name: "the history can't be read", unread: serviceerror.NewUnavailable("unavailable"), errorType: activities.NotSent},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			sent := f.answerSubmissions(taskID, nil)
			f.ledger.intents, f.ledger.err, f.recorder.intentError = test.intents, test.unread, test.refused
			if test.evidence != nil {
				f.SetHeartbeatDetails(*test.evidence)
			}
			input := f.submitInput()
			input.Run = testRun
			submitted, err := f.submit(t, input)
			require.Equal(t, test.sent, *sent)
			require.Equal(t, err == nil, submitted.Settings.Facts)
			require.Len(t, f.ledger.intents, test.declared)
			if test.errorType == "" {
				require.NoError(t, err)
				return
			}
			failed := failedAs(t, err)
			require.Equal(t, test.errorType, failed.Type())
			if test.errorType != activities.SubmitUnknown {
				require.Equal(t, activities.PhaseRefused, f.recorder.phases()[len(f.recorder.phases())-1], "the intent is revoked")
				return
			}
			var evidence activities.Evidence
			require.NoError(t, failed.Details(&evidence))
			require.True(t, earlier.At.Equal(evidence.At), "late evidence of the earlier attempt has its time")
			require.Equal(t, 2, evidence.Attempts)
		})
	}
}

// The first byte needs a heartbeat that the server accepted a moment ago.
func TestPermit(t *testing.T) {
	tests := []struct {
		name    string
		after   time.Duration
		refuse  error
		beats   int
		permits bool
	}{
		{"right after the fence", 0, serviceerror.NewNotFound("gone"), 1, true},
		{"after a slow connection", 6 * time.Second, nil, 2, true},
		{"after the attempt was given up", 6 * time.Second, serviceerror.NewNotFound("gone"), 1, false},
		{"while Temporal is unavailable", 6 * time.Second, serviceerror.NewUnavailable("unavailable"), 1, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			beats := 0
			f.provider.submit = func(_ context.Context, request kie.SubmitRequest) (string, error) {
				f.now = f.now.Add(test.after)
				f.recorder.mu.Lock()
				f.recorder.refuse = map[activities.Phase]error{activities.PhaseSending: test.refuse}
				f.recorder.mu.Unlock()
				err := request.Permit()
				beats = len(f.recorder.phases())
				require.Equal(t, test.permits, err == nil, err)
				if err != nil {
					return "", &kie.Error{Class: kie.NotSent, Err: err}
				}
				return taskID, nil
			}
			_, err := f.submit(t, f.submitInput())
			require.Equal(t, test.permits, err == nil)
			require.Equal(t, test.beats, beats)
		})
	}
}

// An accepted task goes to the run that submitted it, else to the latest run of the
// job, else to a job that collects it.
func TestLateOutcome(t *testing.T) {
	gone := serviceerror.NewNotFound("gone")
	tests := []struct {
		name      string
		latest    error
		signalled int
		collected []string
	}{
		{"a later run is open", nil, 1, nil},
		{"the job is over", gone, 0, []string{taskID}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			f.answerSubmissions(taskID, nil)
			f.recorder.refuse = map[activities.Phase]error{activities.PhaseAccepted: gone}
			f.recorder.runError, f.recorder.latestError = gone, test.latest
			_, err := f.submit(t, f.submitInput())
			require.NoError(t, err)
			require.Len(t, f.recorder.signalled, test.signalled)
			require.Equal(t, test.collected, f.ledger.collected)
		})
	}
}
