package activities_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lumaflow/activities"
	"lumaflow/internal/kie"
)

func (f *fixture) poll(t *testing.T, input activities.PollInput) (activities.Finished, error) {
	t.Helper()
	acts := f.register(t)
	var finished activities.Finished
	value, err := f.ExecuteActivity(acts.Poll, input)
	if err == nil {
		require.NoError(t, value.Get(&finished))
	}
	return finished, err
}

func (f *fixture) setRecord(record kie.Record, err error) {
	f.provider.record = func() (kie.Record, error) { return record, err }
}

func TestPollOutcomes(t *testing.T) {
	urls := []string{"https://tempfile.example.org/1.mp4"}
	unavailable := &kie.Error{Class: kie.Temporary, Code: 500}
	tests := []struct {
		name      string
		record    kie.Record
		err       error
		errorType string
		final     bool
	}{
		{"flag 0 is pending", kie.Record{State: kie.Pending}, nil, activities.Pending, false},
		{"flag 1 with links", kie.Record{State: kie.Succeeded, Flag: 1, ResultURLs: urls}, nil, "", false},
		{"flag 4 with links", kie.Record{State: kie.Succeeded, Flag: 4, ResultURLs: urls}, nil, "", false},
		{"flag 1 without links", kie.Record{State: kie.Succeeded, Flag: 1}, nil, activities.Pending, false},
		{"flag 4 without links", kie.Record{State: kie.Succeeded, Flag: 4}, nil, activities.Pending, false},
		{"flag 2", kie.Record{State: kie.Failed, Flag: 2, ErrorCode: "400", ErrorMessage: "moderated"}, nil, activities.GenerationFailed, true},
		{"flag 3", kie.Record{State: kie.Failed, Flag: 3, ErrorMessage: "moderated"}, nil, activities.GenerationFailed, true},
		{"an unknown flag is pending", kie.Record{State: kie.UnknownState, Flag: 9}, nil, activities.Pending, false},
		{"no answer", kie.Record{}, unavailable, activities.ProviderUnavailable, false},
		{"no record yet", kie.Record{}, &kie.Error{Class: kie.NotFound, Code: 422}, activities.ProviderUnavailable, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			f.setRecord(test.record, test.err)
			finished, err := f.poll(t, activities.PollInput{TaskID: taskID, Until: f.now.Add(time.Hour)})
			if test.errorType == "" {
				require.NoError(t, err)
				require.Equal(t, urls, finished.ResultURLs)
				return
			}
			failed := failedAs(t, err)
			require.Equal(t, test.errorType, failed.Type())
			require.Equal(t, test.final, failed.NonRetryable())
			if test.record.ErrorMessage != "" {
				require.Contains(t, failed.Message(), test.record.ErrorMessage)
			}
			if !test.final {
				require.InDelta(t, 30*time.Second, failed.NextRetryDelay(), float64(4*time.Second))
			}
		})
	}
}

func TestPollTiming(t *testing.T) {
	tests := []struct {
		name  string
		input activities.PollInput
		left  time.Duration
		err   error
		want  time.Duration
	}{
		{"the polls after a callback follow quickly", activities.PollInput{WokenByCallback: true}, time.Hour, nil, 2 * time.Second},
		{"the last poll is at the deadline", activities.PollInput{}, 7 * time.Second, nil, 7 * time.Second},
		{"kie.ai's Retry-After is honoured", activities.PollInput{}, time.Hour, &kie.Error{Class: kie.Temporary, RetryAfter: 2 * time.Minute}, 2 * time.Minute},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			f.setRecord(kie.Record{State: kie.Pending}, test.err)
			test.input.TaskID, test.input.Until = taskID, f.now.Add(test.left)
			_, err := f.poll(t, test.input)
			require.Equal(t, test.want, failedAs(t, err).NextRetryDelay())
		})
	}
	t.Run("a poll after the deadline is permanent", func(t *testing.T) {
		f := newFixture(t)
		f.setRecord(kie.Record{State: kie.Pending}, nil)
		_, err := f.poll(t, activities.PollInput{TaskID: taskID, Until: f.now})
		failed := failedAs(t, err)
		require.Equal(t, activities.ResultOverdue, failed.Type())
		require.True(t, failed.NonRetryable())
	})
}

// The URLs of a callback are used only after ten minutes in which record-info
// returned only errors.
func TestPollFallsBackToTheCallback(t *testing.T) {
	promised := []string{"https://tempfile.example.org/promised.mp4"}
	down := &kie.Error{Class: kie.Temporary, Code: 500}
	tests := []struct {
		name     string
		urls     []string
		after    time.Duration
		answered bool
		err      error
		trusted  bool
	}{
		{"ten minutes of errors", promised, 10*time.Minute + time.Second, false, down, true},
		{"not long enough", promised, 9 * time.Minute, false, down, false},
		{"it answered in between", promised, time.Hour, true, down, false},
		{"the callback promised nothing", nil, time.Hour, false, down, false},
		{"the record answers", promised, time.Hour, false, nil, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			f.setRecord(kie.Record{State: kie.Pending}, test.err)
			if test.answered {
				f.SetHeartbeatDetails(map[string]any{"answered": true})
			}
			f.now = f.now.Add(test.after)
			finished, err := f.poll(t, activities.PollInput{TaskID: taskID, Until: f.now.Add(time.Hour), WokenByCallback: true, CallbackURLs: test.urls})
			if test.trusted {
				require.NoError(t, err)
				require.Equal(t, promised, finished.ResultURLs)
				return
			}
			require.Error(t, err)
		})
	}
}

func TestSuccessWithoutLinksIsPolledForABoundedTime(t *testing.T) {
	f := newFixture(t)
	f.setRecord(kie.Record{State: kie.Succeeded, Flag: 4}, nil)
	f.SetHeartbeatDetails(map[string]any{"answered": true, "emptySince": f.now.Add(-10 * time.Minute)})
	_, err := f.poll(t, activities.PollInput{TaskID: taskID, Until: f.now.Add(time.Hour)})
	require.Equal(t, activities.ResultOverdue, failedAs(t, err).Type())
}

// A task that an operator names is adopted unless another job owns it.
func TestIdentifyNotAnothers(t *testing.T) {
	urls := newFixture(t).options.Callbacks
	tests := []struct {
		name    string
		url     string
		refused bool
	}{
		{"this job's task", urls.URL("default-test-namespace", "default-test-workflow-id"), false},
		{"another job's task", urls.URL("default-test-namespace", "another-job"), true},
		{"a task of another namespace", urls.URL("elsewhere", "another-job"), false},
		{"a task with a forged callback URL", "https://hooks.example.org/callbacks/luma/another-job/forged", false},
		{"a task of another tool", "https://example.org/hook", false},
		{"a task without callbacks", "", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			f.setRecord(kie.Record{CallbackURL: test.url}, nil)
			acts := f.register(t)
			_, err := f.ExecuteActivity(acts.Identify, activities.IdentifyInput{TaskID: taskID, NotAnothers: true})
			if !test.refused {
				require.NoError(t, err)
				return
			}
			failed := failedAs(t, err)
			require.Equal(t, activities.ForeignTask, failed.Type())
			require.True(t, failed.NonRetryable())
			require.Contains(t, failed.Message(), "another-job")
		})
	}
}

func TestIdentify(t *testing.T) {
	f := newFixture(t)
	ours := f.options.Callbacks.URL("default-test-namespace", "default-test-workflow-id")
	others := f.options.Callbacks.URL("default-test-namespace", "another-job")
	tests := []struct {
		name      string
		own       bool
		record    kie.Record
		err       error
		after     time.Duration
		errorType string
		final     bool
	}{
		{"any task", false, kie.Record{CallbackURL: others}, nil, 0, "", false},
		{"this job's task", true, kie.Record{CallbackURL: ours}, nil, 0, "", false},
		{"another job's task", true, kie.Record{CallbackURL: others}, nil, 0, activities.ForeignTask, true},
		{"a record without a callback URL yet", true, kie.Record{Prompt: "p", VideoURL: "v", CreatedAt: f.now}, nil, 0, activities.Pending, false},
		{"a record without a callback URL, but with this job's request", true, kie.Record{Prompt: "p", VideoURL: "v", CreatedAt: f.now}, nil, time.Hour, "", false},
		{"another prompt", true, kie.Record{Prompt: "q", VideoURL: "v", CreatedAt: f.now}, nil, time.Hour, activities.ForeignTask, true},
		{"another video", true, kie.Record{Prompt: "p", VideoURL: "w", CreatedAt: f.now}, nil, time.Hour, activities.ForeignTask, true},
		{"the same request, but before this attempt", true, kie.Record{Prompt: "p", VideoURL: "v", CreatedAt: f.now.Add(-48 * time.Hour)}, nil, time.Hour, activities.ForeignTask, true},
		{"the same request without a time", true, kie.Record{Prompt: "p", VideoURL: "v"}, nil, time.Hour, activities.UnprovenTask, true},
		{"a record that names nothing", true, kie.Record{CreatedAt: f.now}, nil, time.Hour, activities.UnprovenTask, true},
		{"a task of an earlier run", true, kie.Record{CallbackURL: ours, CreatedAt: f.now.Add(-49 * time.Hour)}, nil, 0, activities.ForeignTask, true},
		{"a task of this run", true, kie.Record{CallbackURL: ours, CreatedAt: f.now}, nil, 0, "", false},
		{"no record yet", false, kie.Record{}, &kie.Error{Class: kie.NotFound}, 0, activities.ProviderUnavailable, false},
		{"no record after the grace period", false, kie.Record{}, &kie.Error{Class: kie.NotFound}, 3 * time.Minute, activities.UnknownTask, true},
		{"kie.ai is down after the grace period", false, kie.Record{}, &kie.Error{Class: kie.Temporary}, time.Hour, activities.ProviderUnavailable, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			f.setRecord(test.record, test.err)
			f.now = f.now.Add(test.after)
			acts := f.register(t)
			_, err := f.ExecuteActivity(acts.Identify, activities.IdentifyInput{
				TaskID: taskID, Own: test.own, NotBefore: f.now.Add(-47 * time.Hour), Prompt: "p", VideoURL: "v",
			})
			if test.errorType == "" {
				require.NoError(t, err)
				return
			}
			failed := failedAs(t, err)
			require.Equal(t, test.errorType, failed.Type())
			require.Equal(t, test.final, failed.NonRetryable())
		})
	}
}

// The failure of a task carries its cost as data; Luma's records have none.
func TestCostOfFailedTask(t *testing.T) {
	for _, cost := range []*float64{nil, new(0.0), new(61.5)} {
		f := newFixture(t)
		f.setRecord(kie.Record{State: kie.Failed, ErrorCode: "400", Credits: cost}, nil)
		_, err := f.poll(t, activities.PollInput{TaskID: taskID, Until: f.now.Add(time.Hour)})
		var polls int
		var credits *float64
		require.NoError(t, failedAs(t, err).Details(&polls, &credits))
		require.Equal(t, 1, polls)
		require.Equal(t, cost, credits)
	}
}
