package starter

import (
	"cmp"
	"fmt"
	"strings"

	"lumaflow/internal/oneline"
	"lumaflow/workflows"
)

// Tally counts the jobs of a rescue.
type Tally struct {
	// Total counts all jobs. Failed ones ended without their video or could not be
	// started.
	Total, Completed, Failed, NotStarted int
	// Open counts the open jobs by their stage, which is empty until it is known.
	Open map[workflows.Stage]int
	// Note describes an obstacle for all jobs, or else for one of them.
	Note string
}

// String lists the counts that are not zero in one line.
func (t Tally) String() string {
	parts := []string{fmt.Sprintf("%d of %d done", t.Completed, t.Total)}
	add := func(n int, label string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, label))
		}
	}
	add(t.Failed, "failed")
	for _, stage := range Stages {
		if stage != workflows.StageDone && stage != workflows.StageFailed {
			add(t.Open[stage], string(stage))
		}
	}
	add(t.Open[workflows.StageDone]+t.Open[workflows.StageFailed], "ending")
	add(t.Open[""], "started")
	add(t.NotStarted, "not started yet")
	return strings.Join(parts, ", ")
}

// tally counts the jobs between two rounds.
func (r *rescueRun) tally() Tally {
	tally := Tally{Total: len(r.outcomes), NotStarted: len(r.queue), Open: map[workflows.Stage]int{}}
	for _, outcome := range r.outcomes {
		if outcome.State == StateCompleted {
			tally.Completed++
		}
	}
	details, failing := map[workflows.Stage]string{}, ""
	for _, job := range r.open {
		tally.Open[r.stages[job]]++
		if status := r.outcomes[job].Status; status != nil && status.Stage == r.stages[job] {
			details[status.Stage] = oneline.Clean(status.Detail)
		}
		for _, pending := range r.outcomes[job].Pending {
			failing = pending.text()
		}
	}
	tally.Failed = tally.Total - tally.Completed - tally.NotStarted - len(r.open)
	switch {
	case len(r.open)+len(r.queue) == 0:
	case r.unanswered != nil || r.retries > 0:
		tally.Note = "Temporal does not answer; the jobs continue, the requests are retried"
	default:
		tally.Note = cmp.Or(r.workerNote, details[workflows.StageSubmitUnknown], details[workflows.StageHeld], failing)
	}
	return tally
}
