package workflows_test

import (
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"pgregory.net/rapid"

	"lumaflow/activities"
	"lumaflow/workflows"
)

const (
	promisedURL = "https://evil.example.org/promised-by-a-callback.mp4"
	deniedURL   = "https://evil.example.org/of-a-callback-that-tells-of-a-failure.mp4"
	strayTask   = "99999999999999999999999999999999"
)

// TestLivesOfJobs drives jobs through random lives: what submissions come to,
// callbacks of every kind at any time, polls, decisions of operators, cancels.
// Whatever happens, nothing is paid for twice without an operator, no callback
// is dropped, and the end is final, visible and names the task.
func TestLivesOfJobs(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) { newModel(t, r).live() })
}

// model is one random life and what must be true of it.
type model struct {
	*life
	r *rapid.T
	// charged counts the submissions that may have created a task.
	charged int
	// allowed counts the submissions that an operator or the input asked for, free
	// those that a worker said had created nothing.
	allowed, free int
	// doubtful counts the submissions whose outcome the job was not told,
	// refusedAt are the times when a worker told of one after all that it had
	// created nothing, provenAt those when one told of its task, which is proven.
	doubtful            int
	refusedAt, provenAt []time.Time
	proven              []string
	// sent are the times of the callbacks that came while the job was open.
	sent []time.Time
	// known is the task that the job was told is its own.
	known string
	// dead are the attempts whose worker went away while it was submitting, by
	// when they began; activities add to them.
	mu   sync.Mutex
	dead []activities.Evidence
	// cancelled says that somebody cancels the job at some time.
	cancelled bool
	// trusts says that the record was out of reach for ten minutes, so that a
	// callback's links count.
	trusts bool
	// final is the terminal stage that was seen first.
	final workflows.Stage
	// adoptable are the tasks that operators named.
	adoptable []string
}

func newModel(t *testing.T, r *rapid.T) *model {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.NewTextHandler(io.Discard, nil))))
	m := &model{life: &life{TestWorkflowEnvironment: suite.NewTestWorkflowEnvironment(), t: t}, r: r, allowed: 1}
	m.prepare()
	m.endsOnTimeout()
	return m
}

func (m *model) live() {
	m.callbacksComeAtAnyTime()
	m.operatorsDecide()
	m.evidenceComesLate()
	m.somebodyWatches()
	input := request
	if m.chance("resubmits by itself", 4) {
		input.OnUnknownSubmit = "resubmit"
		m.allowed = 1000
	}
	if m.chance("is cancelled", 5) {
		m.cancelled = true
		m.RegisterDelayedCallback(m.CancelWorkflow, m.moment("cancel"))
	}
	m.submissionsComeToAnything()
	m.recordSaysAnything()
	m.downloadsMayFail()
	m.ExecuteWorkflow(workflows.ModifyVideoName, input)
	m.check()
}

func (m *model) chance(what string, oneIn int) bool {
	return rapid.IntRange(1, oneIn).Draw(m.r, what) == 1
}

// moment is a time in a job's life, close to where its timers fire.
func (m *model) moment(what string) time.Duration {
	return time.Duration(rapid.SampledFrom([]int{0, 1, 59, 60, 61, 300, 599, 600, 601, 900, 3599, 3600, 3601, 7200, 86400}).Draw(m.r, what)) * time.Second
}

// script draws what one kind of activity comes to, call by call, before the job
// starts: activities run on goroutines of their own, and a failure must be
// repeatable from its seed. When the script ends, its last line goes on.
func (m *model) script(what string, last string, outcomes ...string) func() string {
	lines := rapid.SliceOfN(rapid.SampledFrom(outcomes), 0, 20).Draw(m.r, what)
	return func() string {
		m.mu.Lock()
		defer m.mu.Unlock()
		if len(lines) == 0 {
			return last
		}
		line := lines[0]
		lines = lines[1:]
		return line
	}
}

func (m *model) check() {
	require.True(m.r, m.IsWorkflowCompleted())
	require.LessOrEqual(m.r, m.charged, m.allowed+m.free, "submissions that may have been charged")
	status, err := m.status(), m.GetWorkflowError()
	// The test environment lets a timer end the job before it delivers a signal
	// of the same moment; such a signal may be counted or not.
	require.GreaterOrEqual(m.r, status.Callbacks, before(m.sent, m.Now()), "no callback is dropped")
	require.LessOrEqual(m.r, status.Callbacks, len(m.sent))
	require.NotEmpty(m.r, status.Detail)
	if m.final != "" {
		require.Equal(m.r, m.final, status.Stage, "a terminal stage is final")
	}
	if m.doubtful <= before(m.refusedAt, m.Now()) {
		require.NotContains(m.r, status.Detail, "earlier submission", "nothing is in doubt")
	}
	for _, taskID := range m.proven[:before(m.provenAt, m.Now())] {
		require.Contains(m.r, status.Detail, taskID, "the end names every task that a worker told of")
	}
	if err == nil {
		require.Equal(m.r, workflows.StageDone, status.Stage)
		var result workflows.ModifyVideoResult
		require.NoError(m.r, m.GetWorkflowResult(&result))
		require.NotEmpty(m.r, result.Videos)
		if result.TaskID == strayTask {
			require.Contains(m.r, m.adoptable, strayTask, "another job's task is adopted by an operator's word only")
		}
		return
	}
	require.Equal(m.r, workflows.StageFailed, status.Stage, "%v", err)
	require.Contains(m.r, err.Error(), "default-test-workflow-id")
	var failed *temporal.ApplicationError
	if errors.As(err, &failed) && failed.Type() == workflows.SubmitRefused {
		require.LessOrEqual(m.r, m.charged, m.free, "a job that may be paid does not end as refused")
	}
	if m.known != "" {
		require.Contains(m.r, status.Detail, m.known, "the failure names the task")
	}
}

// before counts the times that are.
func before(times []time.Time, end time.Time) int {
	return len(slices.DeleteFunc(slices.Clone(times), func(at time.Time) bool { return !at.Before(end) }))
}
