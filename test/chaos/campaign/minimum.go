package campaign

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"lumaflow/internal/kie/kietest"
)

const (
	// hitShare is the part of the planned faults and blows, in percent, that must
	// really have happened: some are outrun, such as a second callback when the
	// first never got through.
	hitShare = 75
	// aloneShare is the part of lost responses, in percent, that must have been
	// found without an operator.
	aloneShare = 95
	// aloneFrom is from how many lost responses on that is asked: a few prove
	// nothing about a share.
	aloneFrom = 100
)

// perDeals is how many jobs must have been carried on by what, for every so many
// deals of the whole menu. A death between two packets takes luck, and so does
// a job that only an operator can help.
var perDeals = map[rescue]struct{ jobs, deals int }{
	byCallback:  {1, 1},
	byPoll:      {1, 1},
	byRetry:     {5, 1},
	byHeartbeat: {1, 40},
	byOperator:  {1, 40},
}

// finish states what must have happened, and what of it did not.
func (t *tally) finish(took time.Duration) *Report {
	t.report.Took = took
	slices.Sort(t.report.Broken)
	t.needFaults()
	// Only the whole menu brings every rescue about.
	if len(t.campaign.menu.faults) == len(kietest.Faults()) && len(t.campaign.menu.deaths) == len(Deaths()) {
		t.needRescues()
	}
	if lost := t.report.Lost; lost.Responses >= aloneFrom && (lost.Responses-lost.Operator)*100 < aloneShare*lost.Responses {
		t.miss("%d of %d lost responses needed an operator", lost.Operator, lost.Responses)
	}
	return &t.report
}

func (t *tally) needFaults() {
	var undealt []string
	for _, name := range allNames() {
		row, ours := t.rows[name]
		switch {
		case !ours:
		case row.planned > 0:
			row.Minimum = row.planned * hitShare / 100
			if row.Injected < row.Minimum {
				t.miss("%s happened %d times, not %d", name, row.Injected, row.Minimum)
			}
			t.report.Rows = append(t.report.Rows, *row)
		case name != kietest.RecordDown || t.campaign.menu.slow:
			undealt = append(undealt, name)
		}
	}
	if len(undealt) > 0 && t.report.Seeds > 0 {
		t.miss("no job was dealt %s (it takes %d jobs to deal the whole menu)", strings.Join(undealt, ", "), jobsPerDeal)
	}
}

func (t *tally) needRescues() {
	deals := t.report.Jobs / jobsPerDeal
	for _, how := range rescues {
		need := perDeals[how]
		t.report.Needed[how] = deals / need.deals * need.jobs
		if got := t.report.Rescues[how]; got < t.report.Needed[how] {
			t.miss("%d jobs were rescued by %s, not %d", got, how, t.report.Needed[how])
		}
	}
}

func (t *tally) miss(format string, args ...any) {
	t.report.Missing = append(t.report.Missing, fmt.Sprintf(format, args...))
}

// allNames are all faults and deaths in the order of the table.
func allNames() []string {
	var names []string
	for _, fault := range kietest.Faults() {
		names = append(names, fault.Name)
	}
	return append(names, Deaths()...)
}
