package workflows_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"pgregory.net/rapid"

	enumspb "go.temporal.io/api/enums/v1"

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

func (m *model) submissionsComeToAnything() {
	next := m.script("submissions", "refused", "accepted", "accepted", "unknown", "held", "refused", "died", "died refused", "died sending", "died accepted")
	// Callbacks may come before the answer to the submission does. What may be
	// cancelled is quick: the test environment has a cancelled activity forget
	// what it sent, which the real one does not.
	latency := time.Duration(rapid.SampledFrom([]int{0, 0, 30, 120}).Draw(m.r, "latency")) * time.Second
	if m.allowed > 1 || m.cancelled {
		latency = 0
	}
	m.OnActivity(a.Submit, anything, anything).After(latency).Return(func(_ ctx, in activities.SubmitInput) (activities.Submitted, error) {
		m.submissions++
		taskID := ourTask
		if m.charged > 0 {
			taskID = fmt.Sprintf("%032d", m.charged)
		}
		switch next() {
		case "accepted":
			m.charged++
			m.known = taskID
			return m.accepted(taskID)(in)
		case "unknown":
			m.charged++
			return m.unknown()(in)
		case "held":
			return m.fails(activities.Held, activities.Hold{Code: 402, Reason: "no credit", Attempts: in.Attempts + 1, Until: m.Now()})(in)
		case "refused":
			return m.fails(activities.SubmitRefused, m.evidence(activities.PhaseRefused, ""))(in)
		case "died refused":
			return m.dies(enumspb.TIMEOUT_TYPE_START_TO_CLOSE, m.evidence(activities.PhaseRefused, ""))(in)
		case "died sending":
			m.charged++
			evidence := m.evidence(activities.PhaseSending, "")
			// Each attempt has a moment of its own.
			evidence.At = evidence.At.Add(time.Duration(m.submissions))
			m.mu.Lock()
			m.dead = append(m.dead, evidence)
			m.dead[len(m.dead)-1].TaskID = taskID
			m.mu.Unlock()
			return m.dies(enumspb.TIMEOUT_TYPE_HEARTBEAT, evidence)(in)
		case "died accepted":
			m.charged++
			m.known = taskID
			return m.dies(enumspb.TIMEOUT_TYPE_HEARTBEAT, m.evidence(activities.PhaseAccepted, taskID))(in)
		default:
			return m.dies(enumspb.TIMEOUT_TYPE_HEARTBEAT)(in)
		}
	})
	// Several tasks are looked up at once; each has a script of its own, or a
	// failure would depend on which comes first.
	looks := map[string]func() string{}
	for _, task := range []string{ourTask, strayTask, otherTask} {
		looks[task] = m.script("looks", "answered", "answered", "answered", "timed out", "down")
	}
	m.OnActivity(a.Identify, anything, anything).Return(func(_ ctx, in activities.IdentifyInput) (activities.Identified, error) {
		look := "answered"
		if next, known := looks[in.TaskID]; known {
			look = next()
		}
		switch {
		case look == "timed out":
			return activities.Identified{}, temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_START_TO_CLOSE, nil)
		case look == "down":
			return activities.Identified{}, temporal.NewApplicationError("down", activities.ProviderUnavailable)
		case in.TaskID == ourTask, !in.Own && in.TaskID == strayTask:
			return activities.Identified{TaskID: in.TaskID, CreatedAt: m.Now(), Settings: withCallbacks}, nil
		case in.Own:
			return activities.Identified{}, foreign()
		default:
			return activities.Identified{}, temporal.NewNonRetryableApplicationError("no record", activities.UnknownTask, nil)
		}
	})
}

func (m *model) recordSaysAnything() {
	next := m.script("records", "finished", "finished", "finished", "pending", "failed", "overdue", "timed out", "out of reach")
	m.OnActivity(a.Poll, anything, anything).Return(func(_ ctx, in activities.PollInput) (activities.Finished, error) {
		m.known = in.TaskID
		require.NotContains(m.r, in.CallbackURLs, deniedURL, "a callback of a failure promises nothing")
		switch next() {
		case "timed out":
			return activities.Finished{}, temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_START_TO_CLOSE, nil)
		case "out of reach":
			if len(in.CallbackURLs) > 0 {
				m.trusts = true
				return activities.Finished{TaskID: in.TaskID, ResultURLs: in.CallbackURLs, Polls: 12}, nil
			}
			return activities.Finished{}, temporal.NewApplicationErrorWithOptions("down", activities.ProviderUnavailable,
				temporal.ApplicationErrorOptions{NextRetryDelay: pollInterval})
		case "finished":
			return finished(in.TaskID, 1), nil
		case "failed":
			return activities.Finished{}, temporal.NewNonRetryableApplicationError("moderated", activities.GenerationFailed, nil, 1)
		case "overdue":
			return activities.Finished{}, temporal.NewNonRetryableApplicationError("too late", activities.ResultOverdue, nil, 1)
		default:
			return activities.Finished{}, temporal.NewApplicationErrorWithOptions("running", activities.Pending,
				temporal.ApplicationErrorOptions{NextRetryDelay: pollInterval})
		}
	})
}

func (m *model) downloadsMayFail() {
	next := m.script("downloads", "stored", "stored", "stored", "stored", "rejected", "timed out")
	m.OnActivity(a.Download, anything, anything).Return(func(_ ctx, in activities.DownloadInput) (activities.Downloaded, error) {
		if in.URL != resultURL {
			require.True(m.r, m.trusts && in.URL == promisedURL, "no URL of a callback is fetched: %s", in.URL)
		}
		switch next() {
		case "rejected":
			return activities.Downloaded{}, temporal.NewNonRetryableApplicationError("html", activities.DownloadRejected, nil)
		case "timed out":
			return activities.Downloaded{}, temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_HEARTBEAT, nil)
		}
		return downloaded(in), nil
	})
	m.OnActivity(a.WriteReceipt, anything, anything).Return(nil)
}

func (m *model) callbacksComeAtAnyTime() {
	for range rapid.IntRange(0, 6).Draw(m.r, "callbacks") {
		callback := workflows.Callback{
			TaskID:     rapid.SampledFrom([]string{ourTask, ourTask, strayTask, otherTask, ""}).Draw(m.r, "task"),
			Code:       rapid.SampledFrom([]int{200, 500, 501, 0}).Draw(m.r, "code"),
			ResultURLs: []string{promisedURL},
		}
		if callback.Code != 200 {
			callback.ResultURLs = []string{deniedURL}
		}
		m.RegisterDelayedCallback(func() {
			if m.IsWorkflowCompleted() {
				return // the webhook would learn that the job is over
			}
			m.sent = append(m.sent, m.Now())
			m.SignalWorkflow(workflows.CallbackSignal.Name, callback)
		}, m.moment("callback"))
	}
}

// evidenceComesLate has workers that were thought dead tell what became of
// their attempt.
func (m *model) evidenceComesLate() {
	for range rapid.IntRange(0, 3).Draw(m.r, "late evidence") {
		phase := rapid.SampledFrom([]activities.Phase{activities.PhaseAccepted, activities.PhaseRefused, activities.PhaseSending}).Draw(m.r, "phase")
		m.RegisterDelayedCallback(func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			if m.IsWorkflowCompleted() || len(m.dead) == 0 {
				return
			}
			evidence := m.dead[0]
			m.dead = m.dead[1:]
			evidence.Phase = phase
			if phase == activities.PhaseRefused {
				m.free++
			}
			m.SignalWorkflow(workflows.EvidenceSignal.Name, evidence)
		}, m.moment("late evidence"))
	}
}

// somebodyWatches sees that a terminal stage is the last one.
func (m *model) somebodyWatches() {
	for range 6 {
		m.RegisterDelayedCallback(func() {
			stage := m.status().Stage
			if m.final != "" {
				require.Equal(m.r, m.final, stage, "a terminal stage is final")
			}
			if stage == workflows.StageDone || stage == workflows.StageFailed {
				m.final = stage
			}
		}, m.moment("watch")+time.Second) // by then the job has begun
	}
}

func (m *model) operatorsDecide() {
	for i := range rapid.IntRange(0, 2).Draw(m.r, "operators") {
		resolution := rapid.SampledFrom([]workflows.Resolution{
			{Action: workflows.AdoptTask, TaskID: ourTask},
			{Action: workflows.AdoptTask, TaskID: strayTask},
			{Action: workflows.AdoptTask, TaskID: otherTask},
			{Action: workflows.Resubmit},
			{Action: workflows.WriteOff},
			{Action: "nonsense"},
		}).Draw(m.r, "resolution")
		if resolution.Action == workflows.Resubmit {
			m.allowed++
		}
		m.adoptable = append(m.adoptable, resolution.TaskID)
		m.RegisterDelayedCallback(func() {
			m.UpdateWorkflow(workflows.ResolveUpdate, fmt.Sprint("operator-", i), &answer{}, resolution)
		}, m.moment("operator"))
	}
}

func (m *model) check() {
	require.True(m.r, m.IsWorkflowCompleted())
	require.LessOrEqual(m.r, m.charged, m.allowed+m.free, "submissions that may have been charged")
	status, err := m.status(), m.GetWorkflowError()
	// The test environment lets a timer end the job before it delivers a signal
	// of the same moment; such a signal may be counted or not.
	heard := 0
	for _, at := range m.sent {
		if at.Before(m.Now()) {
			heard++
		}
	}
	require.GreaterOrEqual(m.r, status.Callbacks, heard, "no callback is dropped")
	require.LessOrEqual(m.r, status.Callbacks, len(m.sent))
	require.NotEmpty(m.r, status.Detail)
	if m.final != "" {
		require.Equal(m.r, m.final, status.Stage, "a terminal stage is final")
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
	require.Equal(m.r, workflows.StageFailed, status.Stage)
	require.Contains(m.r, err.Error(), "default-test-workflow-id")
	var failed *temporal.ApplicationError
	if errors.As(err, &failed) && failed.Type() == workflows.SubmitRefused {
		require.LessOrEqual(m.r, m.charged, m.free, "a job that may be paid does not end as refused")
	}
	if m.known != "" {
		require.Contains(m.r, status.Detail, m.known, "the failure names the task")
	}
}
