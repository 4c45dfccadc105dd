package batches_test

import (
	"encoding/json"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
	"lumaflow/internal/manifest"
	"lumaflow/internal/paid/runs"
	"lumaflow/workflows/batches"
)

// order is a line that repeats another one.
func order(repeats int) manifest.Order { return manifest.Order{Repeats: repeats} }

func TestBudget(t *testing.T) {
	tests := map[string]struct {
		script       func(*shop)
		starts, paid int
	}{
		"stops at the limit": {func(*shop) {}, 12, 12},
		"a refused job frees its share": {func(s *shop) {
			s.outcome[id(3)] = failed(0)
		}, 13, 12},
		"an unknown outcome counts as paid": {func(s *shop) {
			s.outcome[id(3)] = failed(2)
		}, 11, 12},
		"what was paid before counts": {func(s *shop) { s.paidBefore.Charges = 10 }, 2, 2},
		"under what is spent already": {func(s *shop) { s.paidBefore.Charges = 20 }, 0, 0},
		"a job that collects a task is free": {func(s *shop) {
			s.found[id(1)] = activities.FoundJob{State: activities.FoundNew, Order: manifest.Order{Adopts: true}}
		}, 13, 12},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newShop(t, 40)
			test.script(s)
			result, err := s.run(batches.Input{Budget: 12, Concurrency: 5})
			require.NoError(t, err)
			require.Len(t, s.starts, test.starts)
			require.Equal(t, test.paid, result.Charges)
			require.Contains(t, result.Stopped, "budget")
			require.Equal(t, 40-test.starts, result.NotStarted)
		})
	}
}

// Behind a used-up budget the jobs that cost nothing are processed, also by the next run,
// and those of other lines are not started. A batch that an earlier build began stops.
func TestFreeJobsBeyondTheBudget(t *testing.T) {
	shots := func(rest bool) *shop {
		s := newShop(t, 210)
		s.found[id(20)] = activities.FoundJob{State: activities.FoundEnded, End: &activities.JobEnd{Outcome: activities.OutcomeDone}}
		s.found[id(30)] = activities.FoundJob{State: activities.FoundNew, Order: manifest.Order{Adopts: true}}
		s.found[id(207)] = activities.FoundJob{State: activities.FoundOpen, Run: "run", Pays: true}
		s.ends[id(207)] = activities.JobEnd{Job: id(207), Run: "run", Outcome: activities.OutcomeDone}
		s.found[id(208)] = activities.FoundJob{State: activities.FoundRepeated, Order: order(1)}
		if rest {
			// The job of line 209 has paid nothing and would be affordable for a run that has
			// forgotten the lines before.
			s.found[id(209)] = activities.FoundJob{State: activities.FoundAgain}
		}
		return s
	}
	s := shots(false)
	s.after(render+time.Second, func() {
		progress := s.progress()
		require.Equal(t, batches.PhaseRunning, progress.Phase)
		require.Equal(t, "budget: 12 submissions are paid, and the budget is 12", progress.Reason)
		require.Less(t, progress.Remaining, render+time.Second, "the jobs that do not start take no time")
	})
	result, err := s.run(batches.Input{Budget: 12, Concurrency: 12})
	require.NoError(t, err)
	require.Len(t, s.starts, 13)
	require.Contains(t, s.starts, id(30))
	require.Equal(t, 15, result.Done)
	require.Equal(t, 210-15-1, result.NotStarted, "without the line that repeats another one")
	require.Equal(t, "budget: 12 submissions are paid, and the budget is 12", result.Stopped)
	require.Equal(t, []activities.FinishInput{{
		Batch: activities.Batch{ID: batchID, Manifest: location, SHA256: "hash"}, Next: 210, SkippedFrom: 13, Stopped: result.Stopped,
	}}, s.finishes)
	require.Equal(t, activities.OutcomeDuplicate, s.results[208].Outcome)
	require.NotContains(t, s.results, 13)

	s = shots(false)
	s.lookup = func() time.Duration {
		s.SetContinueAsNewSuggested(len(s.pages) > 0)
		return 0
	}
	_, err = s.run(batches.Input{Budget: 12, Concurrency: 12})
	input := continued(t, err)
	require.Equal(t, 200, input.Continued.Next)
	require.Equal(t, 13, input.Continued.SkippedFrom)
	rest := shots(true)
	rest.ends[id(30)] = activities.JobEnd{Job: id(30), Outcome: activities.OutcomeDone}
	input.Continued.Charges = 11 // As if a charge were not visible yet.
	result, err = rest.run(input)
	require.NoError(t, err)
	require.Empty(t, rest.starts)
	require.Equal(t, 15, result.Done)
	require.Equal(t, 13, rest.finishes[0].SkippedFrom)

	s = shots(false)
	s.OnGetVersion("skip-beyond-budget", workflow.DefaultVersion, workflow.Version(1)).Return(workflow.DefaultVersion)
	result, err = s.run(batches.Input{Budget: 12, Concurrency: 12})
	require.NoError(t, err)
	require.Len(t, s.starts, 12)
	require.Contains(t, result.Stopped, "budget: 12 submissions")
	require.Zero(t, s.finishes[0].SkippedFrom)
}

// What an open job had paid when a run began counts once, also when it ends.
func TestBudgetOfTheNextRun(t *testing.T) {
	s := newShop(t, 40)
	for line := range 4 {
		job := id(line + 1)
		s.found[job] = activities.FoundJob{State: activities.FoundOpen, Run: "run", Pays: true}
		s.ends[job] = activities.JobEnd{Job: job, Run: "run", Outcome: activities.OutcomeDone, Charges: 1}
	}
	s.paidBefore = activities.PaidBefore{Charges: 3, Open: map[string]int{id(1): 1, id(2): 1, id(3): 1}}
	result, err := s.run(batches.Input{Budget: 12, Concurrency: 5})
	require.NoError(t, err)
	require.Equal(t, 12, result.Charges)
	require.Len(t, s.starts, 8)
}

// The last jobs never exceed the budget together.
func TestBudgetIsNeverExceeded(t *testing.T) {
	s := newShop(t, 100)
	result, err := s.run(batches.Input{Budget: 7, Concurrency: 50})
	require.NoError(t, err)
	require.Len(t, s.starts, 7)
	require.Equal(t, 7, result.Charges)
}

func TestCanary(t *testing.T) {
	s := newShop(t, 50)
	s.after(render/2, func() { require.Equal(t, 5, s.progress().InFlight) })
	result, err := s.run(batches.Input{Canary: 5})
	require.NoError(t, err)
	require.Equal(t, 50, result.Done)

	s = newShop(t, 50)
	s.outcome[id(4)] = failed(1)
	result, err = s.run(batches.Input{Canary: 5})
	require.NoError(t, err)
	require.Len(t, s.starts, 5)
	require.Contains(t, result.Stopped, "canary")
}

func TestFailureRate(t *testing.T) {
	for name, test := range map[string]struct {
		failures int
		stops    bool
	}{"at the limit": {10, false}, "above it": {11, true}} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t, 120)
			for i := range test.failures {
				s.outcome[id(2+4*i)] = failed(1)
			}
			result, err := s.run(batches.Input{MaxFailureRate: 0.2, Concurrency: 5})
			require.NoError(t, err)
			require.Equal(t, test.stops, result.Stopped != "", result.Stopped)
			require.Equal(t, test.stops, len(s.starts) < 120)
		})
	}
}

// When the job that probes is accepted, no other is named until kie.ai refuses one
// after that.
func TestAcceptedProbe(t *testing.T) {
	s := newShop(t, 4)
	for line := range 4 {
		s.held[id(line)], s.silent[id(line)] = "the account has no credit", true
	}
	var elected []any
	s.OnUpsertMemo(mock.Anything).Return(nil).Run(func(args mock.Arguments) {
		elected = append(elected, args.Get(0).(map[string]any)[runs.ProbeMemo])
	})
	var inputs []activities.SweepInput
	s.elects = func(input activities.SweepInput) string {
		inputs = append(inputs, input)
		return []string{id(0), id(0), "", "", id(2), id(2), "", ""}[min(len(inputs), 8)-1]
	}
	s.after(8*time.Minute, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		clear(s.held)
	})
	_, err := s.run(batches.Input{Concurrency: 4})
	require.NoError(t, err)
	require.Equal(t, []any{id(0), id(2)}, elected)
	require.Greater(t, len(inputs), 8)
	require.Zero(t, inputs[2].OpenSince, "the job probes")
	opened := inputs[3].OpenSince
	require.NotZero(t, opened, "the job that probed is not held")
	require.Equal(t, opened, inputs[4].OpenSince)
	require.Zero(t, inputs[5].OpenSince, "another job probes")
	require.True(t, inputs[7].OpenSince.After(opened))
}

// The next run of a batch keeps the job that probes, and that it was accepted.
func TestProbeOfTheNextRun(t *testing.T) {
	s := newShop(t, 2)
	s.held[id(1)], s.held[id(2)] = "the account has no credit", "the account has no credit"
	s.OnUpsertMemo(mock.Anything).Return(nil).Once()
	sweeps := 0
	s.elects = func(activities.SweepInput) string {
		sweeps++
		s.SetContinueAsNewSuggested(sweeps == 2)
		return []string{id(1), ""}[sweeps-1]
	}
	_, err := s.run(batches.Input{})
	input := continued(t, err)
	rest := newShop(t, 2)
	rest.ends[id(1)] = activities.JobEnd{Job: id(1), Outcome: activities.OutcomeDone}
	rest.ends[id(2)] = activities.JobEnd{Job: id(2), Outcome: activities.OutcomeDone}
	var first activities.SweepInput
	rest.elects = func(input activities.SweepInput) string {
		first = input
		return ""
	}
	_, err = rest.run(input)
	require.NoError(t, err)
	require.Equal(t, id(1), first.Probe)
	require.False(t, first.OpenSince.IsZero())
}

// While kie.ai holds a job for lack of credit no more start, and the batch goes on by
// itself.
func TestHold(t *testing.T) {
	s := newShop(t, 20)
	s.held[id(2)], s.held[id(3)] = "the account has no credit", "the account has no credit"
	var elected []any
	s.OnUpsertMemo(mock.Anything).Return(nil).Run(func(args mock.Arguments) {
		memo, ok := args.Get(0).(map[string]any)
		require.True(t, ok)
		elected = append(elected, memo[runs.ProbeMemo])
	})
	s.after(time.Minute, func() {
		progress := s.progress()
		require.Equal(t, batches.PhaseHeld, progress.Phase)
		require.Equal(t, 2, progress.Held)
		require.Contains(t, progress.Reason, "no credit")
	})
	s.after(render+2*time.Minute, func() { require.LessOrEqual(t, len(s.starts), 3, "ended jobs are not replaced") })
	s.silent[id(2)], s.silent[id(3)] = true, true
	accepted := func(job string) func() {
		return func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.held, job)
		}
	}
	s.after(render+3*time.Minute, accepted(id(2)))
	s.after(render+6*time.Minute, accepted(id(3)))
	// The held jobs stay open until the hold is over.
	s.outcome[id(2)] = activities.JobEnd{Outcome: activities.OutcomeDone, Charges: 1}
	result, err := s.run(batches.Input{Concurrency: 3})
	require.NoError(t, err)
	require.Equal(t, 20, result.Done)
	require.Equal(t, []any{id(2), id(3)}, elected, "one job probes at a time, however many workers there are")
}

func TestInvalidInputs(t *testing.T) {
	many := make([]json.RawMessage, batches.MaxItems+1)
	for i := range many {
		many[i] = json.RawMessage(`{}`)
	}
	large := []json.RawMessage{json.RawMessage(`"` + string(slices.Repeat([]byte("x"), batches.MaxItemsBytes)) + `"`)}
	for input, words := range map[string][]string{
		`{"manifets":"/srv/a.jsonl"}`:            {"manifets", "did you mean manifest?"},
		`{"manifest":"/a","concurrency":-1}`:     {"concurrency", "-1"},
		`{"manifest":"/a","concurrency":1001}`:   {"1001"},
		`{"manifest":"/a","budget":-5}`:          {"budget", "-5"},
		`{"manifest":"/a","canary":-5}`:          {"canary"},
		`{"manifest":"/a","maxFailureRate":1.5}`: {"maxFailureRate", "1.5"},
		`{"manifest":"/a","budget":"ten"}`:       {"malformed", "budget"},
		`{"manifest":"/a","items":[{}]}`:         {"exclude"},
		`{}`:                                     {"missing"},
		`{"continued":{"next":-1}}`:              {"continued"},
		`[]`:                                     {"malformed"},
	} {
		s := newShop(t, 1)
		s.ExecuteWorkflow(batches.ModifyVideosName, json.RawMessage(input))
		requireInvalid(t, s.GetWorkflowError(), words...)
		require.Empty(t, s.starts)
	}
	for _, items := range [][]json.RawMessage{many, large} {
		require.Error(t, batches.Input{Items: items}.Validate())
	}
	require.Error(t, batches.Input{Manifest: "/a", MaxFailureRate: math.NaN()}.Validate())
}
