package workflows_test

import (
	"errors"
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
	successURL  = "https://evil.example.org/of-a-success-callback.mp4"
	failureURL  = "https://evil.example.org/of-a-failure-callback.mp4"
	foreignTask = "99999999999999999999999999999999"
)

// TestRandomJobs runs jobs with random submissions, callbacks, polls, late
// evidence, operators' decisions and cancels. In every run no task is paid twice
// without an operator, no callback is dropped, and the end is final and visible and
// names the task.
func TestRandomJobs(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) { newModel(t, r).runRandomJob() })
}

// model is one random job and the facts to check its end against.
type model struct {
	*jobEnv
	r *rapid.T
	// charged counts the submissions that may have created a task.
	charged int
	// allowed counts the submissions that the input or an operator permitted, free
	// those that created no task by the evidence of a worker.
	allowed, free int
	// unknownOutcomes counts the submissions without a known outcome. Late evidence
	// proved at refusedAt that one created no task, and at provenAt that one created
	// the task in proven.
	unknownOutcomes     int
	refusedAt, provenAt []time.Time
	proven              []string
	// sent are the times of the callbacks that were sent to the open job.
	sent []time.Time
	// knownTask is the task that the job has adopted.
	knownTask string
	// timedOut are the attempts whose worker died during the submission, in order.
	// Activities append to it under mu.
	mu       sync.Mutex
	timedOut []activities.Evidence
	// cancelled means that the job is cancelled at a random time.
	cancelled bool
	// usesCallbackURLs means that the record was unreadable for ten minutes, so that
	// the links of a callback may be fetched.
	usesCallbackURLs bool
	// finalStage is the first terminal stage that a query returned.
	finalStage workflows.Stage
	// adoptable are the tasks that operators decided to adopt.
	adoptable []string
}

func newModel(t *testing.T, r *rapid.T) *model {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	m := &model{jobEnv: &jobEnv{TestWorkflowEnvironment: suite.NewTestWorkflowEnvironment(), t: t}, r: r, allowed: 1}
	m.prepare()
	m.withoutSubmitRetries()
	return m
}

func (m *model) runRandomJob() {
	m.sendCallbacks()
	m.sendResolutions()
	m.sendLateEvidence()
	m.watchStage()
	input := request
	if m.chance("input resubmits", 4) {
		input.OnUnknownSubmit = "resubmit"
		m.allowed = 1000
	}
	if m.chance("is cancelled", 5) {
		m.cancelled = true
		m.RegisterDelayedCallback(m.CancelWorkflow, m.moment("cancel"))
	}
	m.scriptSubmissions()
	m.scriptRecords()
	m.scriptDownloads()
	m.ExecuteWorkflow(workflows.ModifyVideoName, input)
	m.check()
}

func (m *model) chance(label string, oneIn int) bool {
	return rapid.IntRange(1, oneIn).Draw(m.r, label) == 1
}

// moment is a delay after the start of the job, near the times of its timers.
func (m *model) moment(label string) time.Duration {
	return time.Duration(rapid.SampledFrom([]int{0, 1, 59, 60, 61, 300, 599, 600, 601, 900, 3599, 3600, 3601, 7200, 86400}).Draw(m.r, label)) * time.Second
}

// script draws the outcomes of one kind of activity before the job starts:
// activities run on goroutines of their own, and a failure must be repeatable from
// its seed. After the drawn outcomes each call gets last.
func (m *model) script(label, last string, outcomes ...string) func() string {
	drawn := rapid.SliceOfN(rapid.SampledFrom(outcomes), 0, 20).Draw(m.r, label)
	return func() string {
		m.mu.Lock()
		defer m.mu.Unlock()
		if len(drawn) == 0 {
			return last
		}
		next := drawn[0]
		drawn = drawn[1:]
		return next
	}
}

func (m *model) check() {
	require.True(m.r, m.IsWorkflowCompleted())
	require.LessOrEqual(m.r, m.charged, m.allowed+m.free, "submissions that may have been charged")
	status, err := m.status(), m.GetWorkflowError()
	// In the test environment a timer may end the job before a signal of the same
	// time is delivered; such a signal may be counted or not.
	require.GreaterOrEqual(m.r, status.Callbacks, before(m.sent, m.Now()), "no callback is dropped")
	require.LessOrEqual(m.r, status.Callbacks, len(m.sent))
	require.NotEmpty(m.r, status.Detail)
	if m.finalStage != "" {
		require.Equal(m.r, m.finalStage, status.Stage, "a terminal stage is final")
	}
	if m.unknownOutcomes <= before(m.refusedAt, m.Now()) {
		require.NotContains(m.r, status.Detail, "earlier submission", "no outcome is unknown")
	}
	for _, taskID := range m.proven[:before(m.provenAt, m.Now())] {
		require.Contains(m.r, status.Detail, taskID, "the end names every task that late evidence proved")
	}
	if err == nil {
		require.Equal(m.r, workflows.StageDone, status.Stage)
		var result workflows.ModifyVideoResult
		require.NoError(m.r, m.GetWorkflowResult(&result))
		require.NotEmpty(m.r, result.Videos)
		if result.TaskID == foreignTask {
			require.Contains(m.r, m.adoptable, foreignTask, "the task of another job is adopted only by an operator")
		}
		return
	}
	require.Equal(m.r, workflows.StageFailed, status.Stage, "%v", err)
	require.Contains(m.r, err.Error(), "default-test-workflow-id")
	var failed *temporal.ApplicationError
	if errors.As(err, &failed) && failed.Type() == workflows.SubmitRefused {
		require.LessOrEqual(m.r, m.charged, m.free, "a job that may be paid does not end as refused")
	}
	if m.knownTask != "" {
		require.Contains(m.r, status.Detail, m.knownTask, "the failure names the task")
	}
}

// before counts the times before end.
func before(times []time.Time, end time.Time) int {
	return len(slices.DeleteFunc(slices.Clone(times), func(at time.Time) bool { return !at.Before(end) }))
}
