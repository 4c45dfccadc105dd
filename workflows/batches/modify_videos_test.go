package batches_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
	"lumaflow/workflows/batches"
)

func TestWindow(t *testing.T) {
	s := newShop(t, 30)
	result, err := s.run(batches.Input{Concurrency: 7})
	require.NoError(t, err)
	require.Equal(t, 7, s.most, "never more than the window is open")
	require.Equal(t, batches.Counts{Lines: 30, Jobs: 30, Done: 30, Charges: 30}, result.Counts)
	require.Len(t, s.starts, 30)
	require.Len(t, s.results, 30)
	require.Equal(t, []string{"job-4.mp4"}, s.results[4].Files)
	require.Len(t, s.pages, 1, "one look-up serves many jobs")
	require.True(t, s.pages[0].Unique)
}

// Jobs that Temporal has already are counted, attached to or left alone.
func TestFoundJobs(t *testing.T) {
	s := newShop(t, 6)
	done := activities.JobEnd{Job: id(1), Outcome: activities.OutcomeDone, Charges: 1, Files: []string{"a.mp4"}}
	s.found[id(1)] = activities.FoundJob{State: activities.FoundEnded, End: &done, Charges: 1}
	s.found[id(2)] = activities.FoundJob{State: activities.FoundOpen, Run: "run-2"}
	s.found[id(3)] = activities.FoundJob{State: activities.FoundRepeated, Order: order(1)}
	s.found[id(4)] = activities.FoundJob{State: activities.FoundAgain, Charges: 1}
	paid := failed(1)
	s.found[id(5)] = activities.FoundJob{State: activities.FoundEnded, End: &paid}
	// The job of another client reports nothing to this batch.
	s.after(5*time.Minute, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ends[id(2)] = activities.JobEnd{Job: id(2), Run: "run-2", Outcome: activities.OutcomeDone}
	})
	result, err := s.run(batches.Input{})
	require.NoError(t, err)
	require.ElementsMatch(t, []string{id(4), id(6)}, s.starts)
	require.Equal(t, 4, result.Done)
	require.Equal(t, 1, result.Failed)
	require.Equal(t, 2, result.Existing)
	require.Equal(t, 4, result.Charges, "what was found with the batch's jobs, and what those paid")
	require.Equal(t, activities.OutcomeDuplicate, s.results[3].Outcome)
	require.Equal(t, 1, s.results[3].Repeats)
	require.False(t, s.pages[0].Unique, "a line repeats another one")
	require.Len(t, s.results, 6)
	charges := 0
	for _, line := range s.results {
		charges += line.Charges
	}
	require.Equal(t, result.Charges, charges, "each charge is that of one line")
}

// An end that no job reports is found by a sweep within a minute.
func TestSweep(t *testing.T) {
	s := newShop(t, 4)
	s.silent[id(2)] = true
	s.outcome[id(2)] = activities.JobEnd{Outcome: activities.OutcomeTerminated, Charges: 1}
	s.after(render+time.Minute, func() { require.Equal(t, 2, s.progress().Failed) })
	s.after(2*time.Minute, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ends[id(3)] = activities.JobEnd{Job: id(3), Outcome: activities.OutcomeDeleted, Charges: 1}
	})
	s.after(3*time.Minute, func() { require.Equal(t, 1, s.progress().Failed, "a deleted job frees its slot") })
	result, err := s.run(batches.Input{Concurrency: 3})
	require.NoError(t, err)
	require.Equal(t, 2, result.Failed)
	require.Equal(t, 2, result.Done)
	require.Equal(t, 4, result.Charges)
	require.Equal(t, activities.OutcomeDeleted, s.results[3].Outcome)
}

// The report of another run than the one in the window frees no slot.
func TestStaleReport(t *testing.T) {
	s := newShop(t, 2)
	stale := failed(1)
	stale.Job, stale.Run = id(1), "an-earlier-run"
	s.after(time.Minute, func() {
		s.SignalWorkflow("job-end", stale)
		stranger := stale
		stranger.Job = "another-job"
		s.SignalWorkflow("job-end", stranger)
	})
	s.after(2*time.Minute, func() { require.Equal(t, 1, s.progress().InFlight) })
	result, err := s.run(batches.Input{Concurrency: 1})
	require.NoError(t, err)
	require.Equal(t, batches.Counts{Lines: 2, Jobs: 2, Done: 2, Charges: 2}, result.Counts)
}

// A run that becomes long leaves its state, and never the list, to the next one.
func TestContinueAsNew(t *testing.T) {
	s := newShop(t, 40)
	s.after(render/2, func() { s.SetContinueAsNewSuggested(true) })
	_, err := s.run(batches.Input{Concurrency: 10, Budget: 100})
	var next *workflow.ContinueAsNewError
	require.ErrorAs(t, err, &next)
	var input batches.Input
	require.NoError(t, json.Unmarshal(next.Input.GetPayloads()[0].GetData(), &input))
	state := input.Continued
	require.NotNil(t, state)
	require.Equal(t, 100, input.Budget)
	require.Empty(t, input.Items)
	require.Equal(t, state.Next, state.Done+len(state.Window), "each line that was processed is counted or open")
	require.NotEmpty(t, state.Window)

	// The next run counts jobs that ended in between, and goes on.
	rest := newShop(t, 40)
	for _, job := range state.Window {
		rest.ends[job.Job] = activities.JobEnd{Job: job.Job, Run: job.Run, Outcome: activities.OutcomeDone, Charges: 1}
	}
	result, err := rest.run(input)
	require.NoError(t, err)
	require.Equal(t, 40, result.Done)
	require.Equal(t, 40, result.Charges)
	require.Len(t, rest.starts, 40-state.Next)
}

// A report that arrives while the run ends is counted: Temporal rejects the end of a run
// with a new report, and the repeated workflow task leaves no job in the window that has
// reported.
func TestReportAtContinueAsNew(t *testing.T) {
	s := newShop(t, 150)
	late := activities.JobEnd{Job: id(101), Outcome: activities.OutcomeDone, Charges: 1}
	s.begun = func(run workflow.Execution) {
		if run.ID == late.Job {
			late.Run = run.RunID
		}
	}
	for line := 101; line <= 150; line++ {
		s.renders[id(line)] = 2 * render
	}
	s.after(render/2, func() { s.update("", batches.StopUpdate) })
	s.wrote = func(activities.ResultsInput) {
		s.SetContinueAsNewSuggested(true)
		s.SignalWorkflowSkippingWorkflowTask("job-end", late)
	}
	_, err := s.run(batches.Input{Concurrency: 150})
	var next *workflow.ContinueAsNewError
	require.ErrorAs(t, err, &next)
	var input batches.Input
	require.NoError(t, json.Unmarshal(next.Input.GetPayloads()[0].GetData(), &input))
	require.Equal(t, 101, input.Continued.Done)
	require.Len(t, input.Continued.Window, 49)
	for _, job := range input.Continued.Window {
		require.NotEqual(t, late.Job, job.Job)
	}
}

// The state does not grow with the manifest.
func TestStateIsBounded(t *testing.T) {
	s := newShop(t, 3000)
	s.after(4*render, func() { s.SetContinueAsNewSuggested(true) })
	_, err := s.run(batches.Input{Concurrency: 100})
	var next *workflow.ContinueAsNewError
	require.ErrorAs(t, err, &next)
	require.Less(t, len(next.Input.GetPayloads()[0].GetData()), 64<<10)
}

func TestControl(t *testing.T) {
	s := newShop(t, 30)
	s.after(time.Minute, func() {
		s.update("not paused", batches.ResumeUpdate)
		s.update("concurrency", batches.SetConcurrencyUpdate, 0)
		s.update("concurrency", batches.SetConcurrencyUpdate, 5000)
		s.update("", batches.PauseUpdate)
		s.update("paused already", batches.PauseUpdate)
	})
	s.after(time.Hour, func() {
		progress := s.progress()
		require.Equal(t, batches.PhasePaused, progress.Phase)
		require.Equal(t, 5, progress.Done, "open jobs go on, others do not start")
		require.Equal(t, 25, progress.NotStarted)
		require.NotEmpty(t, progress.Reason)
		s.update("", batches.SetConcurrencyUpdate, 10)
		s.update("", batches.ResumeUpdate)
	})
	s.after(time.Hour+time.Minute, func() {
		require.Equal(t, 10, s.progress().InFlight)
		s.update("", batches.StopUpdate)
		s.update("stopped", batches.PauseUpdate)
		s.update("stopped", batches.RetryUpdate)
	})
	s.after(time.Hour+2*time.Minute, func() { require.Equal(t, batches.PhaseStopping, s.progress().Phase) })
	result, err := s.run(batches.Input{Concurrency: 5})
	require.NoError(t, err)
	require.Equal(t, 15, result.Done)
	require.Equal(t, 15, result.NotStarted)
	require.Contains(t, result.Stopped, "operator")
	require.Equal(t, []activities.FinishInput{{Batch: activities.Batch{ID: batchID, Manifest: location, SHA256: "hash"}, Next: 15, Stopped: result.Stopped}}, s.finishes)
}

// A retry goes through the manifest once more, in a run of its own.
func TestRetry(t *testing.T) {
	s := newShop(t, 3)
	s.outcome[id(2)] = failed(1)
	s.after(time.Minute, func() {
		s.update("", batches.RetryUpdate)
		s.update("already", batches.RetryUpdate)
	})
	_, err := s.run(batches.Input{})
	var next *workflow.ContinueAsNewError
	require.ErrorAs(t, err, &next)
	var input batches.Input
	require.NoError(t, json.Unmarshal(next.Input.GetPayloads()[0].GetData(), &input))
	require.True(t, input.RetryFailed)
	require.Zero(t, input.Continued.Next)
	require.Equal(t, batches.Counts{Lines: 3, Jobs: 3}, input.Continued.Counts)
	require.False(t, input.Continued.RetryRequested)
}

// A rule that stops the batch drops a retry, which would start jobs, and names the way
// to it.
func TestRuleStopsARetry(t *testing.T) {
	s := newShop(t, 30)
	s.outcome[id(2)] = failed(1)
	s.renders[id(3)] = 2 * render
	s.after(time.Minute, func() { s.update("", batches.RetryUpdate) })
	s.after(render+time.Minute, func() {
		s.update("canary: jobs without a video among the first 10: 1", batches.RetryUpdate)
		s.update("when its open jobs have ended (1): lumaflow batch retry "+batchID, batches.RetryUpdate)
	})
	result, err := s.run(batches.Input{Canary: 10})
	require.NoError(t, err)
	require.Len(t, s.starts, 10)
	require.Contains(t, result.Stopped, "canary: ")
	require.Contains(t, result.Stopped, "; what failed is not run again: lumaflow batch retry "+batchID)
}

// A used-up budget does not stop a retry, which collects paid tasks at no cost.
func TestRetryBeyondTheBudget(t *testing.T) {
	s := newShop(t, 30)
	s.after(time.Minute, func() { s.update("", batches.RetryUpdate) })
	_, err := s.run(batches.Input{Budget: 10, Concurrency: 10})
	again := continued(t, err)
	require.True(t, again.RetryFailed)
	require.Zero(t, again.Continued.Skipped)
	require.Zero(t, again.Continued.SkippedFrom)
}

// A batch that is cancelled leaves its jobs open.
func TestCancel(t *testing.T) {
	s := newShop(t, 10)
	s.after(time.Minute, s.CancelWorkflow)
	_, err := s.run(batches.Input{Concurrency: 4})
	var cancelled *temporal.CanceledError
	require.ErrorAs(t, err, &cancelled)
	require.Len(t, s.starts, 4)
	require.Len(t, s.ends, 4)
	for _, end := range s.ends {
		require.Equal(t, activities.OutcomeDone, end.Outcome, "the jobs go on to their end")
	}
	require.Len(t, s.finishes, 1)
}

// A manifest that changes starts nothing more, and the batch fails when the started
// jobs have ended.
func TestManifestChanges(t *testing.T) {
	s := newShop(t, 200)
	s.changedAt = 1
	// A run with open jobs does not go on in a new one then, which would complete.
	s.renders[id(95)] = 3 * render
	s.lookup = func() time.Duration {
		s.SetContinueAsNewSuggested(len(s.pages) > 0)
		return 0
	}
	_, err := s.run(batches.Input{Concurrency: 10})
	var application *temporal.ApplicationError
	require.ErrorAs(t, err, &application)
	require.Equal(t, batches.ManifestChanged, application.Type())
	require.Contains(t, application.Message(), "the manifest has changed")
	require.Len(t, s.results, len(s.starts), "what was started is in the results")
	require.Less(t, len(s.starts), 200)
}

// The remaining time is that until the last start at the current rate, and the median
// time of a job.
func TestRemainingTime(t *testing.T) {
	s := newShop(t, 6)
	s.renders[id(1)], s.renders[id(2)] = render-2*time.Minute, render
	remaining, last := map[time.Duration]time.Duration{}, map[time.Duration]time.Duration{}
	for _, at := range []time.Duration{time.Minute, render, 2*render + time.Minute} {
		s.after(at+time.Second, func() {
			progress := s.progress()
			remaining[at] = progress.Remaining.Round(time.Minute)
			if !progress.LastEndAt.IsZero() {
				last[at] = progress.LastEndAt.Sub(progress.StartedAt).Round(time.Minute)
			}
		})
	}
	_, err := s.run(batches.Input{Concurrency: 2})
	require.NoError(t, err)
	require.Equal(t, map[time.Duration]time.Duration{
		time.Minute: 0,
		// Two ended within two minutes, and two are not started.
		render:                 2*time.Minute + render,
		2*render + time.Minute: render - time.Minute,
	}, remaining)
	require.Equal(t, map[time.Duration]time.Duration{render: render, 2*render + time.Minute: 2 * render}, last)
}

// A job that has run before starts only after a look-up that is not old: another client
// may have started it since, and it may have paid.
func TestStaleLookUp(t *testing.T) {
	requested := func(s *shop) (lines []int) {
		for _, page := range s.pages {
			lines = append(lines, page.Next)
		}
		return lines
	}
	t.Run("old since the page was read", func(t *testing.T) {
		s := newShop(t, 4)
		s.found[id(4)] = activities.FoundJob{State: activities.FoundAgain}
		s.after(time.Minute, func() { s.update("", batches.PauseUpdate) })
		s.after(2*render, func() {
			s.mu.Lock()
			s.found[id(4)] = activities.FoundJob{State: activities.FoundOpen, Run: "of another client"}
			s.ends[id(4)] = activities.JobEnd{Job: id(4), Run: "of another client", Outcome: activities.OutcomeDone}
			s.mu.Unlock()
			s.update("", batches.ResumeUpdate)
		})
		result, err := s.run(batches.Input{Concurrency: 2})
		require.NoError(t, err)
		require.Equal(t, []string{id(1), id(2), id(3)}, s.starts)
		require.Equal(t, []int{0, 3}, requested(s))
		require.Equal(t, 4, result.Done)
	})
	t.Run("each takes an hour", func(t *testing.T) {
		s := newShop(t, 2)
		s.found[id(1)] = activities.FoundJob{State: activities.FoundAgain}
		s.lookup = func() time.Duration { return time.Hour }
		_, err := s.run(batches.Input{})
		require.NoError(t, err)
		require.Equal(t, []int{0, 0}, requested(s))
	})
	// So does that of a batch which is reset to the end of a look-up.
	t.Run("old when it arrives", func(t *testing.T) {
		s := newShop(t, 2)
		s.found[id(1)] = activities.FoundJob{State: activities.FoundAgain}
		s.lookup = func() time.Duration { return time.Hour * time.Duration(1-min(len(s.pages), 1)) }
		_, err := s.run(batches.Input{})
		require.NoError(t, err)
		require.Equal(t, []int{0, 0}, requested(s))
		require.Len(t, s.starts, 2)
	})
}
