package batches_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"
	"pgregory.net/rapid"

	"lumaflow/activities"
	"lumaflow/workflows/batches"
)

// TestRandomBatches runs batches whose jobs end at random times and whose reports are
// lost, repeated, early or about other runs; which are paused, resumed and resized, go on
// in new runs, are reset to their beginning or cancelled and started again. Each job is
// started once, never more than the window are open, no slot leaks, and the results have
// one right line for each line of the manifest.
func TestRandomBatches(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		m := &model{t: t, r: r, facts: map[string]*fact{}, reports: map[string]string{}, lines: rapid.IntRange(1, 40).Draw(r, "lines")}
		m.runBatch()
	})
}

// fact is a job as Temporal has it, in all runs of the batch.
type fact struct {
	run string
	// endsAt is when the job ends, and end how; reports is what it reports.
	endsAt  time.Time
	end     activities.JobEnd
	reports []activities.JobEnd
}

// model is a random batch and the facts to check it against.
type model struct {
	t     *testing.T
	r     *rapid.T
	lines int
	// facts are the jobs that were started, by id.
	facts map[string]*fact
	// reports is what the jobs report, by id.
	reports map[string]string
	// written counts the results of each line since the file was begun.
	written map[int]int
	results map[int]activities.JobResult
	// limit is the window that the batch has been given, the largest one if it is resized.
	limit      int
	violations []string
	s          *shop
}

// What a job reports.
const (
	reportsEnd        = "its end"
	reportsNothing    = "nothing"
	reportsTwice      = "its end twice"
	reportsStale      = "the end of another run"
	reportsStaleFirst = "the end of another run, then its own"
	reportsStaleAfter = "its end, then that of another run"
	reportsStranger   = "its end among those of another job"
)

// The ends of a run of a batch that are no end of its jobs.
const (
	goesOn    = "continues as new"
	isReset   = "is reset"
	cancelled = "is cancelled"
	completes = "completes"
)

func (m *model) runBatch() {
	request := batches.Input{Manifest: location, Concurrency: rapid.IntRange(1, 8).Draw(m.r, "concurrency")}
	input, now := request, time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for _, kind := range append(rapid.SliceOfN(rapid.SampledFrom([]string{goesOn, isReset, cancelled}), 0, 4).Draw(m.r, "ends of runs"), completes) {
		if m.limit = input.Concurrency; input.Continued != nil {
			m.limit = input.Continued.Concurrency
		}
		m.beginRun(now, input)
		m.sendUpdates()
		m.breakOff(kind)
		m.s.ExecuteWorkflow(timed, input)
		require.True(m.r, m.s.IsWorkflowCompleted())
		require.Empty(m.r, m.violations)
		// The environment ends when the jobs have, too.
		now = m.s.ended
		err := m.s.GetWorkflowError()
		var next *workflow.ContinueAsNewError
		switch {
		case err == nil:
			m.checkEnd(m.s.ended)
			return
		case temporal.IsCanceledError(err):
			input = request
		default:
			require.ErrorAs(m.r, err, &next)
			require.NotEqual(m.r, completes, kind)
			input = request
			if kind == goesOn {
				input = batches.Input{}
				require.NoError(m.r, json.Unmarshal(next.Input.GetPayloads()[0].GetData(), &input))
				m.checkState(input.Continued)
			}
		}
	}
	require.Fail(m.r, "the last run completes")
}

// beginRun makes the environment of the next run of the batch, in which the open jobs of
// the earlier ones continue.
func (m *model) beginRun(now time.Time, input batches.Input) {
	s := newShop(m.t, m.lines)
	m.s = s
	s.SetStartTime(now)
	if input.Continued == nil {
		m.written, m.results = map[int]int{}, map[int]activities.JobResult{}
	}
	for line := range m.lines {
		jobID := id(line + 1)
		known := m.facts[jobID]
		if known == nil {
			s.renders[jobID] = m.moment("render")
			m.reports[jobID] = rapid.SampledFrom([]string{
				reportsEnd, reportsEnd, reportsNothing, reportsTwice, reportsStale, reportsStaleFirst, reportsStaleAfter, reportsStranger,
			}).Draw(m.r, "reports")
			if m.chance("fails", 4) {
				s.outcome[jobID] = failed(rapid.IntRange(0, 2).Draw(m.r, "charges"))
			}
			continue
		}
		if !known.endsAt.After(now) {
			s.ends[jobID] = known.end
			continue
		}
		s.open++
		s.after(known.endsAt.Sub(now), func() {
			s.mu.Lock()
			s.open--
			s.ends[jobID] = known.end
			s.mu.Unlock()
			for _, report := range known.reports {
				s.SignalWorkflow("job-end", report)
			}
		})
	}
	s.begun = m.begin
	s.reported = func(end activities.JobEnd) []activities.JobEnd { return m.facts[end.Job].reports }
	s.standing = m.standing
	s.wrote = func(input activities.ResultsInput) {
		for _, result := range input.Results {
			m.written[result.Line]++
			m.results[result.Line] = result
		}
	}
}

// begin records the start of a job and what it reports.
func (m *model) begin(run workflow.Execution) {
	m.s.mu.Lock()
	open := m.s.open
	end, ok := m.s.outcome[run.ID]
	m.s.mu.Unlock()
	// A failure in the coroutine of a job would block the batch.
	if m.facts[run.ID] != nil {
		m.violations = append(m.violations, run.ID+" is started twice")
	}
	if open > m.limit {
		m.violations = append(m.violations, fmt.Sprintf("%d jobs are open in a window of %d", open, m.limit))
	}
	if !ok {
		end = activities.JobEnd{Outcome: activities.OutcomeDone, TaskID: "task-" + run.ID, Files: []string{run.ID + ".mp4"}, Charges: 1}
	}
	end.Job, end.Run = run.ID, run.RunID
	stale, stranger := failed(1), failed(1)
	stale.Job, stale.Run = run.ID, "another-run"
	stranger.Job, stranger.Run = "another-job", run.RunID
	reports := map[string][]activities.JobEnd{
		reportsEnd: {end}, reportsTwice: {end, end}, reportsStale: {stale}, reportsStaleFirst: {stale, end},
		reportsStaleAfter: {end, stale}, reportsStranger: {stranger, end, stranger},
	}[m.reports[run.ID]]
	m.facts[run.ID] = &fact{run: run.RunID, endsAt: m.s.Now().Add(m.s.renders[run.ID]), end: end, reports: reports}
}

// standing is a job that was started before, as Temporal has it now.
func (m *model) standing(jobID string) (found activities.FoundJob, ok bool) {
	known := m.facts[jobID]
	if known == nil {
		return found, false
	}
	if end, over := m.s.ends[jobID]; over {
		return activities.FoundJob{State: activities.FoundEnded, End: &end, Charges: end.Charges}, true
	}
	return activities.FoundJob{State: activities.FoundOpen, Run: known.run, Pays: true}, true
}

// sendUpdates pauses and resumes the batch and sets its window at random times.
func (m *model) sendUpdates() {
	if m.chance("is paused", 3) {
		m.send(m.moment("pause"), batches.PauseUpdate)
	}
	// What an earlier run has paused is resumed, too.
	m.send(time.Hour+m.moment("resume"), batches.ResumeUpdate)
	if m.chance("is resized", 3) {
		window := rapid.IntRange(1, 8).Draw(m.r, "window")
		m.s.after(m.moment("resize"), func() {
			m.limit = max(m.limit, window)
			m.update(batches.SetConcurrencyUpdate, window)
		})
	}
}

// send sends an update, which the batch may reject.
func (m *model) send(delay time.Duration, name string) {
	m.s.after(delay, func() { m.update(name) })
}

func (m *model) update(name string, args ...any) {
	m.s.updates++
	m.s.UpdateWorkflow(name, strconv.Itoa(m.s.updates), &testsuite.TestUpdateCallback{
		OnReject: func(error) {}, OnAccept: func() {}, OnComplete: func(any, error) {},
	}, args...)
}

// breakOff ends the run of the batch at a random time.
func (m *model) breakOff(kind string) {
	switch kind {
	case goesOn, isReset:
		m.s.after(m.moment("becomes long"), func() { m.s.SetContinueAsNewSuggested(true) })
	case cancelled:
		m.s.after(m.moment("cancel"), m.s.CancelWorkflow)
	}
}

func (m *model) chance(label string, oneIn int) bool {
	return rapid.IntRange(1, oneIn).Draw(m.r, label) == 1
}

// moment is a time around those of sweeps and of other jobs.
func (m *model) moment(label string) time.Duration {
	return time.Duration(rapid.SampledFrom([]int{1, 2, 10, 44, 45, 46, 89, 90, 91, 300, 600, 3000}).Draw(m.r, label)) * time.Second
}

// checkState requires that each line that was processed is counted once or open.
func (m *model) checkState(state *batches.State) {
	require.NotNil(m.r, state)
	require.Equal(m.r, state.Next, state.Done+state.Failed+len(state.Window))
	require.GreaterOrEqual(m.r, len(m.facts), state.Next)
}

// checkEnd requires that the batch has counted each job as it has ended.
func (m *model) checkEnd(ended time.Time) {
	var result batches.Result
	require.NoError(m.r, m.s.GetWorkflowResult(&result))
	require.Empty(m.r, result.Stopped)
	require.Len(m.r, m.facts, m.lines, "each job is started")
	done, charges := 0, 0
	for _, started := range m.facts {
		require.False(m.r, started.endsAt.After(ended), "the batch waits for its jobs")
		charges += started.end.Charges
		if started.end.Outcome == activities.OutcomeDone {
			done++
		}
	}
	require.Equal(m.r, done, result.Done)
	require.Equal(m.r, m.lines-done, result.Failed)
	require.Equal(m.r, charges, result.Charges)
	require.Len(m.r, m.results, m.lines)
	for _, line := range slices.Sorted(maps.Keys(m.results)) {
		require.Equal(m.r, 1, m.written[line], "line %d has one result", line)
		require.Equal(m.r, m.facts[id(line)].end, m.results[line].JobEnd)
	}
}
