package starter

import (
	"fmt"
	"strings"

	"lumaflow/workflows"
)

// Tally is how far many jobs are.
type Tally struct {
	// Total is how many there are: those that have completed, those that ended
	// without their video or could not be started, those that are not started yet,
	// and the open ones.
	Total, Completed, Failed, NotStarted int
	// Open counts the open jobs by their stage, which is empty until a worker has
	// told.
	Open map[workflows.Stage]int
	// Note is what is in the way of all jobs or, if nothing is, of one of them.
	Note string
}

// ended is how many need no more work.
func (t Tally) ended() int { return t.Completed + t.Failed }

// String says it in one line.
func (t Tally) String() string {
	parts := []string{fmt.Sprintf("%d of %d done", t.Completed, t.Total)}
	add := func(n int, what string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, what))
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

// tally counts where the jobs are.
func (m *many) tally() Tally {
	tally := Tally{Total: len(m.orders), NotStarted: len(m.queue), Open: map[workflows.Stage]int{}}
	for _, outcome := range m.outcomes {
		if outcome.State == StateCompleted {
			tally.Completed++
		}
	}
	blocked, failing := map[workflows.Stage]string{}, ""
	for _, place := range m.open {
		tally.Open[m.stages[place]]++
		if status := m.outcomes[place].Status; status != nil && status.Stage == m.stages[place] {
			blocked[status.Stage] = plain(status.Detail)
		}
		for _, pending := range m.outcomes[place].Pending {
			failing = pending.again()
		}
	}
	tally.Failed = tally.Total - tally.Completed - tally.NotStarted - len(m.open)
	switch {
	case len(m.open)+len(m.queue) == 0:
	case m.away != nil || m.pauses > 0:
		tally.Note = "Temporal does not answer; the jobs go on, trying again"
	case m.silence != "":
		tally.Note = m.silence
	case blocked[workflows.StageSubmitUnknown] != "":
		tally.Note = blocked[workflows.StageSubmitUnknown]
	case blocked[workflows.StageHeld] != "":
		tally.Note = blocked[workflows.StageHeld]
	default:
		tally.Note = failing
	}
	return tally
}
