package workflows_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
	"lumaflow/internal/paid"
	"lumaflow/internal/paid/runs"
	"lumaflow/workflows"
)

const (
	// underTest is the type of the job under test. The type of the collecting jobs is
	// a stub.
	underTest = "job under test"
	// terminateSignal ends a run as a reset does: its code runs no further.
	terminateSignal = "terminate"
	// secondTask is the second task that a job pays.
	secondTask = "00000000000000000000000000000001"
)

var errTerminated = temporal.NewNonRetryableApplicationError("the run is reset", "Terminated", nil)

func isTerminated(err error) bool {
	var failed *temporal.ApplicationError
	return errors.As(err, &failed) && failed.Type() == "Terminated"
}

// attempt is an attempt whose worker died after it began to send.
type attempt struct {
	// evidence names the task that the attempt created, or would have.
	evidence activities.Evidence
	created  bool
}

type modelSignal struct {
	name    string
	payload any
}

// runRecord is what the history of a run holds about its payments: package runs
// reads the same from a real one.
type runRecord struct {
	tasks []runs.Task
	// lost are the submissions with an unknown outcome, by their time.
	lost []runs.Submission
	// proven are the tasks that late evidence names, by the time of the submission;
	// empty if it created none.
	proven map[time.Time]string
	// assumed are the tasks that the run adopted without proof.
	assumed []string
}

func (h *runRecord) accepts(evidence activities.Evidence) {
	h.add(evidence.TaskID, evidence.At)
	h.proves(evidence)
}

// proves records the outcome of a submission.
func (h *runRecord) proves(evidence activities.Evidence) {
	if h.proven == nil {
		h.proven = map[time.Time]string{}
	}
	h.proven[evidence.At.UTC().Round(0)] = evidence.TaskID
}

func (h *runRecord) loses(submissions ...runs.Submission) {
	for _, lost := range submissions {
		if !slices.ContainsFunc(h.lost, func(known runs.Submission) bool { return known.At.Equal(lost.At) }) {
			h.lost = append(h.lost, lost)
		}
	}
}

func (h *runRecord) adopts(taskID string, now time.Time) {
	if h.add(taskID, now) {
		h.assumed = append(h.assumed, taskID)
	}
}

// unknown are the lost submissions but the proven ones, and but one for each task
// that was assumed to be that of a lost submission, the oldest first.
func (h *runRecord) unknown() []runs.Submission {
	assumed := map[string]bool{}
	for _, taskID := range h.assumed {
		assumed[taskID] = true
	}
	var unknown []runs.Submission
	for _, lost := range h.lost {
		taskID, proven := h.proven[lost.At.UTC().Round(0)]
		if proven {
			delete(assumed, taskID)
		} else {
			unknown = append(unknown, lost)
		}
	}
	slices.SortFunc(unknown, func(a, b runs.Submission) int { return a.At.Compare(b.At) })
	return unknown[min(len(assumed), len(unknown)):]
}

// add reports whether the task is new.
func (h *runRecord) add(taskID string, at time.Time) bool {
	if slices.ContainsFunc(h.tasks, func(known runs.Task) bool { return known.TaskID == taskID }) {
		return false
	}
	h.tasks = append(h.tasks, runs.Task{TaskID: taskID, SubmittedAt: at})
	return true
}

// run is the record of the open run.
func (m *model) run() *runRecord { return m.runs[len(m.runs)-1] }

// beginRun prepares the first run of the job or the next one: a retry, or a reset
// that applies the signals of the run before again.
func (m *model) beginRun(terminates bool) {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	previous := m.TestWorkflowEnvironment
	m.mu.Lock()
	m.TestWorkflowEnvironment, m.over = suite.NewTestWorkflowEnvironment(), false
	m.runs = append(m.runs, &runRecord{})
	m.mu.Unlock()
	m.prepareActivities()
	runID := m.runID()
	m.withInfo(func(info *workflow.Info) {
		info.FirstRunID, info.WorkflowExecution.RunID = "run-1", runID
		if m.cron {
			info.CronSchedule = "@daily"
		}
	})
	m.RegisterWorkflowWithOptions(m.jobUnderTest, workflow.RegisterOptions{Name: underTest})
	m.RegisterWorkflowWithOptions(m.collector, workflow.RegisterOptions{Name: workflows.ModifyVideoName})
	m.sent, m.knownTask, m.cancelled, m.inFlight, m.finalStage = nil, "", false, false, ""
	m.usesCallbackURLs.Store(false)
	m.terminates = terminates
	if previous != nil {
		m.SetStartTime(previous.Now().Add(time.Second))
		m.applySignalsAgain()
	}
	if terminates {
		// After the start no activity is running then.
		m.RegisterDelayedCallback(func() { m.SignalWorkflow(terminateSignal, nil) }, m.moment("reset")+time.Second)
	}
}

// endRun lets no activity of the open run pay any more, as Submit does: it pays only
// after the open run has its intent.
func (m *model) endRun() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.over = true
}

// isOver reports whether the run in env is not the open one.
func (m *model) isOver(env *testsuite.TestWorkflowEnvironment) bool {
	return m.over || env != m.TestWorkflowEnvironment
}

func (m *model) applySignalsAgain() {
	again := m.signals
	m.signals = nil
	if m.chance("is a retry", 3) {
		return
	}
	m.event(func() {
		for _, signal := range again {
			if signal.name == workflows.CallbackSignal.Name {
				m.sent = append(m.sent, m.Now())
			}
			m.signal(signal.name, signal.payload)
		}
	}, 0)
}

// signal sends a signal to the open run.
func (m *model) signal(name string, payload any) {
	m.signals = append(m.signals, modelSignal{name, payload})
	m.SignalWorkflow(name, payload)
}

// jobUnderTest is ModifyVideo until it ends or is terminated.
func (m *model) jobUnderTest(ctx workflow.Context, input workflows.ModifyVideoInput) (result workflows.ModifyVideoResult, err error) {
	ended := false
	workflow.Go(ctx, func(ctx workflow.Context) {
		result, err = workflows.Workflows{}.ModifyVideo(ctx, input)
		ended = true
	})
	terminate := workflow.GetSignalChannel(ctx, terminateSignal)
	detached, _ := workflow.NewDisconnectedContext(ctx)
	if awaited := workflow.Await(detached, func() bool { return ended || terminate.Len() > 0 }); awaited != nil {
		return result, awaited
	}
	if !ended {
		return workflows.ModifyVideoResult{}, errTerminated
	}
	return result, err
}

// collector is the job that collects a task.
func (m *model) collector(_ workflow.Context, input workflows.ModifyVideoInput) (result workflows.ModifyVideoResult, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.collected = append(m.collected, input.TaskID)
	return result, nil
}

// runID is the id of the open run.
func (m *model) runID() string { return fmt.Sprint("run-", len(m.runs)) }

// isLaterRun is the contract of Submit: only the run that the input names may send.
func (m *model) isLaterRun(in activities.SubmitInput) bool { return in.Run != m.runID() }

// charge creates a paid task and returns the evidence of it.
func (m *model) charge(in activities.SubmitInput) activities.Evidence {
	taskID := ourTask
	if len(m.charges) > 0 {
		taskID = fmt.Sprintf("%032d", len(m.charges))
	}
	m.charges = append(m.charges, taskID)
	return m.begin(in, activities.PhaseAccepted, taskID)
}

// begin is the evidence of a submission.
func (m *model) begin(in activities.SubmitInput, phase activities.Phase, taskID string) activities.Evidence {
	evidence := m.evidence(phase, taskID)
	// Each attempt has a time of its own.
	evidence.At, evidence.Attempts = evidence.At.Add(time.Duration(m.submissions)), in.Attempts+1
	return evidence
}

// adopts records the task that the run in env has. A reset may be faster than the
// activity of the run before.
func (m *model) adopts(env *testsuite.TestWorkflowEnvironment, taskID string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.isOver(env) {
		m.knownTask = taskID
		m.run().adopts(taskID, m.Now())
	}
}

// lose is a submission with an unknown outcome, which created a task or did not.
func (m *model) lose(in activities.SubmitInput, created bool) activities.Evidence {
	m.unknownOutcomes++
	evidence := m.begin(in, activities.PhaseSending, "")
	if created {
		evidence = m.charge(in)
		evidence.Phase = activities.PhaseSending
	}
	m.run().loses(runs.Submission{At: evidence.At, Attempts: evidence.Attempts})
	return evidence
}

// scriptEarlierRuns answers with what the histories of the earlier runs hold.
func (m *model) scriptEarlierRuns() {
	env := m.TestWorkflowEnvironment
	next := m.script("earlier runs", "answered", "answered", "answered", "answered", "down", "unreadable")
	m.OnActivity(a.EarlierRuns, anything).Return(func(context.Context) (activities.Earlier, error) {
		switch next() {
		case "down":
			return activities.Earlier{}, temporal.NewApplicationError("down", activities.ProviderUnavailable)
		case "unreadable":
			return activities.Earlier{}, temporal.NewNonRetryableApplicationError("unreadable", "Odd", nil)
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.isOver(env) {
			return activities.Earlier{}, errTerminated
		}
		return activities.Earlier{Earlier: m.earlier(), Settings: keptFacts}, nil
	})
}

// earlier merges the records of the earlier runs, as package runs does.
func (m *model) earlier() runs.Earlier {
	all := &runRecord{}
	for _, run := range m.runs[:len(m.runs)-1] {
		for _, task := range run.tasks {
			all.add(task.TaskID, task.SubmittedAt)
		}
		all.loses(run.lost...)
		all.assumed = append(all.assumed, run.assumed...)
		for at, taskID := range run.proven {
			all.proves(activities.Evidence{At: at, TaskID: taskID})
		}
	}
	merged := runs.Earlier{RunID: m.runID(), Runs: len(m.runs) - 1, Tasks: all.tasks, Unknown: all.unknown()}
	for _, task := range merged.Tasks {
		m.run().add(task.TaskID, task.SubmittedAt)
	}
	m.run().loses(merged.Unknown...)
	return merged
}

// accounts reports whether the end of the job accounts for a paid task: its video is
// stored, a job of its own collects it, the end names it, or reports that a task
// may be paid. An operator who had the job adopt a task of others decided that this
// was its submission.
func (m *model) accounts(taskID string) bool {
	err := m.GetWorkflowError()
	var failed *temporal.ApplicationError
	detail := m.status().Detail
	adoptedOthers := m.knownTask != "" && !slices.Contains(m.charges, m.knownTask)
	return adoptedOthers || slices.Contains(m.collected, taskID) || strings.Contains(detail, taskID) ||
		errors.As(err, &failed) && failed.Type() == workflows.SubmitUnknown ||
		strings.Contains(detail, "earlier submission of this job may be paid") || strings.Contains(detail, "earlier run of this job may have paid") || strings.Contains(detail, "a task may exist")
}

// checkPayments checks the job after its last run.
func (m *model) checkPayments() {
	for _, taskID := range m.collected {
		require.Contains(m.r, slices.Concat(m.charges, m.adoptable), taskID, "a job collects only what this one paid, or an operator adopted")
	}
	for _, taskID := range m.charges {
		require.True(m.r, m.accounts(taskID), "the end accounts for task %s: %s", taskID, m.status().Detail)
		m.checkAfterEnd(taskID)
	}
}

// checkAfterEnd delivers the callback of a paid task to the ended job: the details of
// its end must let the task be collected (runs.Collector takes a task that they hold
// as closed for one without a video), and must keep the same command from paying
// again.
func (m *model) checkAfterEnd(taskID string) {
	var facts paid.Facts
	var failed *temporal.ApplicationError
	var canceled *temporal.CanceledError
	err, text := m.GetWorkflowError(), ""
	switch {
	case errors.As(err, &failed):
		require.NoError(m.r, failed.Details(&facts))
	case errors.As(err, &canceled):
		require.NoError(m.r, canceled.Details(&text, &facts))
	default:
		return // It has its video, or Temporal ended it: its history is read.
	}
	adoptedOthers := m.knownTask != "" && !slices.Contains(m.charges, m.knownTask)
	noVideo := failed != nil && failed.Type() == workflows.GenerationFailed
	if noVideo || adoptedOthers || slices.Contains(m.collected, taskID) {
		return
	}
	require.False(m.r, facts.TaskID == taskID && !facts.PaidOpen, "the callback of task %s comes after the end: %v", taskID, err)
	require.True(m.r, facts.PaidOpen, "task %s is paid, and the same command would pay again: %v", taskID, err)
}
