package campaign

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"lumaflow/internal/kie/kietest"
)

const (
	// minInjected is the percentage of the planned faults and deaths that must have
	// happened. Some can't, such as a second callback after a first that got no
	// answer.
	minInjected = 75
	// minWithoutOperator is the percentage of lost responses that must have been
	// recovered without an operator.
	minWithoutOperator = 95
	// minLostResponses is the number of lost responses from which that percentage
	// is significant.
	minLostResponses = 100
)

// minRescues is the minimum number of rescued jobs for a number of rounds of the
// whole menu. Some rescues need a death between two packets, so they are rare.
var minRescues = map[rescue]struct{ jobs, rounds int }{
	byCallback:  {1, 1},
	byPoll:      {1, 1},
	byRetry:     {5, 1},
	byHeartbeat: {1, 40},
	byOperator:  {1, 40},
}

// finish compares the tally with the minimums and returns the report.
func (t *tally) finish(took time.Duration) *Report {
	t.report.Took = took
	slices.Sort(t.report.Broken)
	t.requireFaults()
	// Only the whole menu causes every rescue.
	if len(t.campaign.menu.faults) == len(kietest.Faults()) && len(t.campaign.menu.deaths) == len(Deaths()) {
		t.requireRescues()
	}
	if lost := t.report.Lost; lost.Responses >= minLostResponses && (lost.Responses-lost.Operator)*100 < minWithoutOperator*lost.Responses {
		t.missing("%d of %d lost responses needed an operator", lost.Operator, lost.Responses)
	}
	return &t.report
}

func (t *tally) requireFaults() {
	var unplanned []string
	for _, name := range allNames() {
		row, selected := t.rows[name]
		switch {
		case !selected:
		case row.planned > 0:
			row.Minimum = row.planned * minInjected / 100
			if row.Injected < row.Minimum {
				t.missing("%s happened %d times, not %d", name, row.Injected, row.Minimum)
			}
			t.report.Rows = append(t.report.Rows, *row)
		case name != kietest.RecordDown || t.campaign.menu.slow:
			unplanned = append(unplanned, name)
		}
	}
	if len(unplanned) > 0 && t.report.Seeds > 0 {
		t.missing("no job was to meet %s (the whole menu needs %d jobs)", strings.Join(unplanned, ", "), jobsPerRound)
	}
}

func (t *tally) requireRescues() {
	rounds := t.report.Jobs / jobsPerRound
	for _, how := range rescues {
		minimum := minRescues[how]
		t.report.Needed[how] = rounds / minimum.rounds * minimum.jobs
		if got := t.report.Rescues[how]; got < t.report.Needed[how] {
			t.missing("%d jobs were rescued by %s, not %d", got, how, t.report.Needed[how])
		}
	}
}

func (t *tally) missing(format string, args ...any) {
	t.report.Missing = append(t.report.Missing, fmt.Sprintf(format, args...))
}

// allNames lists all faults and deaths in the order of the report.
func allNames() []string {
	var names []string
	for _, fault := range kietest.Faults() {
		names = append(names, fault.Name)
	}
	return append(names, Deaths()...)
}
