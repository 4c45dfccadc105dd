package workflows_test

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"pgregory.net/rapid"

	"lumaflow/workflows"
)

const (
	successURL  = "https://evil.example.org/of-a-success-callback.mp4"
	failureURL  = "https://evil.example.org/of-a-failure-callback.mp4"
	foreignTask = "99999999999999999999999999999999"
)

// TestRandomJobs runs jobs with random submissions, callbacks, polls, late
// evidence, operators' decisions, cancels, resets and retries. No job is paid twice
// without an operator, no callback is dropped, and the end is final and visible and
// accounts for every task that is paid.
func TestRandomJobs(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) { newModel(t, r).runRandomJob() })
}

// model is one random job and the facts to check its end against.
type model struct {
	*jobEnv
	r *rapid.T
	// allowed counts the submissions that the input or an operator permitted.
	allowed int
	// charges are the tasks that the job has paid, in order.
	charges []string
	// unknownOutcomes counts the submissions without a known outcome. Late evidence
	// proved at refusedAt that one created no task, and at provenAt that one created
	// the task in proven.
	unknownOutcomes     int
	refusedAt, provenAt []time.Time
	proven              []string
	// silent means that the records of paid tasks have no callback URL and prove nothing.
	silent bool
	// cron means that the job has a cron schedule.
	cron bool
	// collected are the tasks that jobs of their own collect.
	collected []string
	// mu guards what activities write: one that the run does not wait for may be faster
	// than its end.
	mu sync.Mutex
	// timedOut are the attempts whose worker died during the submission, in order.
	timedOut []attempt
	// paidAfterProof means that the job submitted after late evidence had proved a
	// task.
	paidAfterProof bool
	// adoptable are the tasks that operators decided to adopt.
	adoptable []string
	// runs are what the histories of the runs hold; the last is the open one.
	runs []*runRecord
	// signals are the signals of the run before, which a reset applies again.
	signals []modelSignal

	// The rest is of the open run.

	// over means that the run has ended or was reset.
	over bool
	// sent are the times of the callbacks that were sent to the open run.
	sent []time.Time
	// knownTask is the task that the run has adopted.
	knownTask string
	// cancelled means that the run is cancelled at a random time.
	cancelled bool
	// terminates means that the run is reset at a random time, before its end or
	// after.
	terminates bool
	// usesCallbackURLs means that the record was unreadable for ten minutes, so that
	// the links of a callback may be fetched.
	usesCallbackURLs atomic.Bool
	// latency is the duration of a submission, inFlight means that one never ends.
	latency  time.Duration
	inFlight bool
	// finalStage is the first terminal stage that a query returned.
	finalStage workflows.Stage
}

func newModel(t *testing.T, r *rapid.T) *model {
	return &model{jobEnv: &jobEnv{t: t}, r: r, allowed: 1}
}

func (m *model) runRandomJob() {
	input := request
	if m.chance("input resubmits", 3) {
		input.OnUnknownSubmit = "resubmit"
		m.allowed = 1000
	}
	m.silent = m.chance("records are silent", 6)
	if m.cron = m.chance("has a cron schedule", 20); m.cron {
		m.allowed = 0
	}
	later := max(rapid.IntRange(-2, 2).Draw(m.r, "later runs"), 0)
	for number := range later + 1 {
		m.beginRun(number < later)
		m.sendCallbacks()
		m.sendResolutions()
		m.sendLateEvidence()
		m.watchStage()
		if m.chance("is cancelled", 5) {
			m.cancelled = true
			m.event(m.CancelWorkflow, m.moment("cancel"))
		}
		m.scriptSubmissions()
		m.scriptEarlierRuns()
		m.scriptRecords()
		m.scriptDownloads()
		m.ExecuteWorkflow(underTest, input)
		m.endRun()
		require.True(m.r, m.IsWorkflowCompleted())
		require.LessOrEqual(m.r, len(m.charges), m.allowed, "charges of one job")
		require.False(m.r, m.paidAfterProof, "nothing is paid again after late evidence has proved a task")
		if !errors.Is(m.GetWorkflowError(), errTerminated) && !isTerminated(m.GetWorkflowError()) {
			m.checkEnd()
		}
	}
	m.checkPayments()
}

func (m *model) chance(label string, oneIn int) bool {
	return rapid.IntRange(1, oneIn).Draw(m.r, label) == 1
}

// moment is a delay after the start of the job, near the times of its timers.
func (m *model) moment(label string) time.Duration {
	return time.Duration(rapid.SampledFrom([]int{0, 1, 59, 60, 61, 300, 599, 600, 601, 900, 3599, 3600, 3601, 7200, 86400}).Draw(m.r, label)) * time.Second
}

// event calls happen after a delay, but not during a submission, which it may cancel:
// the test environment drops the result of a cancelled activity, which the server
// delivers, and fires timers of the same time while an activity is running.
func (m *model) event(happen func(), delay time.Duration) {
	m.RegisterDelayedCallback(func() {
		m.mu.Lock()
		waits := m.submitting > 0 && m.latency == 0 && !m.inFlight
		m.mu.Unlock()
		if waits {
			m.event(happen, time.Millisecond)
			return
		}
		happen()
	}, delay)
}

// script draws the outcomes of one kind of activity before the job starts:
// activities run on goroutines of their own, and a failure must be repeatable from
// its seed. After the drawn outcomes each call gets last.
func (m *model) script(label, last string, outcomes ...string) func() string {
	drawn := rapid.SliceOfN(rapid.SampledFrom(outcomes), 0, 20).Draw(m.r, label)
	var mu sync.Mutex
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		if len(drawn) == 0 {
			return last
		}
		next := drawn[0]
		drawn = drawn[1:]
		return next
	}
}

// checkEnd checks the end of a run that ended by itself.
func (m *model) checkEnd() {
	status, err := m.status(), m.GetWorkflowError()
	// In the test environment a timer may end the job before a signal of the same
	// time is delivered; such a signal may be counted or not.
	require.GreaterOrEqual(m.r, status.Callbacks, before(m.sent, m.Now()), "no callback is dropped")
	require.LessOrEqual(m.r, status.Callbacks, len(m.sent))
	require.NotEmpty(m.r, status.Detail)
	if m.finalStage != "" {
		require.Equal(m.r, m.finalStage, status.Stage, "a terminal stage is final")
	}
	if len(m.runs) == 1 && m.unknownOutcomes <= before(m.refusedAt, m.Now()) {
		require.NotContains(m.r, status.Detail, "earlier submission", "no outcome is unknown")
	}
	for _, taskID := range m.proven[:before(m.provenAt, m.Now())] {
		require.True(m.r, m.accounts(taskID), "the end accounts for task %s, which late evidence proved: %s", taskID, status.Detail)
	}
	if err == nil {
		require.False(m.r, m.cron, "each firing of a cron schedule would pay")
		require.Equal(m.r, workflows.StageDone, status.Stage)
		var result workflows.ModifyVideoResult
		require.NoError(m.r, m.GetWorkflowResult(&result))
		require.NotEmpty(m.r, result.Videos)
		if !slices.Contains(m.charges, result.TaskID) {
			require.Contains(m.r, m.adoptable, result.TaskID, "a task of others is adopted only by an operator")
		}
		return
	}
	require.Equal(m.r, workflows.StageFailed, status.Stage, "%v", err)
	require.Contains(m.r, err.Error(), "default-test-workflow-id")
	var failed *temporal.ApplicationError
	isFailed := errors.As(err, &failed)
	require.Equal(m.r, m.cron, isFailed && failed.Type() == workflows.InvalidRequest, "each firing of a cron schedule would pay, other inputs are valid: %v", err)
	if isFailed && failed.Type() == workflows.SubmitRefused {
		for _, taskID := range m.charges {
			require.Contains(m.r, m.collected, taskID, "a job that may be paid does not end as refused")
		}
	}
	if m.knownTask != "" {
		require.Contains(m.r, status.Detail, m.knownTask, "the failure names the task")
	}
}

// before counts the times before end.
func before(times []time.Time, end time.Time) int {
	return len(slices.DeleteFunc(slices.Clone(times), func(at time.Time) bool { return !at.Before(end) }))
}
