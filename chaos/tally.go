package chaos

import (
	"fmt"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"lumaflow/luma/lumatest"
)

// Report is what a campaign found.
type Report struct {
	From int64 `json:"from"`
	// Seeds are those that were played to their end, Asked all that were to be.
	Seeds      int `json:"seeds"`
	Asked      int `json:"seedsAsked"`
	Jobs       int `json:"jobs"`
	Charges    int `json:"charges"`
	Files      int `json:"files"`
	Failures   int `json:"failures"`
	Deaths     int `json:"deaths"`
	Duplicates int `json:"doubleCharges"`
	// Lost is about submissions whose outcome was unknown.
	Lost Lost `json:"lostSubmissions"`
	// Rows are the faults and the deaths, Rescues what carried jobs on.
	Rows    []Row          `json:"rows"`
	Rescues map[rescue]int `json:"rescues"`
	// Broken are the seeds that did not keep the promise, Missing what should
	// have happened and did not.
	Broken  []int64       `json:"broken"`
	Missing []string      `json:"missing"`
	Took    time.Duration `json:"tookNanoseconds"`
}

// Lost counts submissions with an unknown outcome and who found out about them.
type Lost struct {
	// Responses are those that were charged and whose answer was lost.
	Responses int `json:"responses"`
	// Operator of them had to be found by one, the others were found without.
	Operator int `json:"operator"`
	// Unsent were never charged: their worker died between its intent and its
	// request, or with the refusal in hand. Nobody but an operator can know.
	Unsent int `json:"unsent"`
}

// Row is one fault or death.
type Row struct {
	Name string `json:"name"`
	// Injected is how often it really happened, as jobs that a fault hit or as
	// blows; Minimum is how often it must have.
	Injected int `json:"injected"`
	Minimum  int `json:"minimum"`
	// Survived are those of them that ended as they had to: a fault's jobs, or
	// the blows of seeds that kept the promise.
	Survived int            `json:"survived"`
	Rescued  map[rescue]int `json:"rescued"`

	planned int
}

// tally adds outcomes up to a Report.
type tally struct {
	campaign *campaign
	report   Report
	rows     map[string]*Row
}

func newTally(c *campaign) *tally {
	t := &tally{campaign: c, rows: map[string]*Row{}, report: Report{From: c.from, Asked: c.seeds, Rescues: map[rescue]int{}, Broken: []int64{}, Missing: []string{}}}
	for _, fault := range c.menu.faults {
		t.rows[fault.Name] = &Row{Name: fault.Name, Rescued: map[rescue]int{}}
	}
	for _, death := range c.menu.deaths {
		t.rows[death] = &Row{Name: death, Rescued: map[rescue]int{}}
	}
	return t
}

func (t *tally) add(o *outcome) {
	t.report.Seeds++
	t.report.Jobs += len(o.lives)
	t.report.Charges += o.ledger.Charges
	t.report.Files += o.files
	t.report.Deaths += o.deaths()
	if len(o.problems) > 0 {
		t.report.Broken = append(t.report.Broken, o.seed)
	}
	planned := newSchedule(o.seed, t.campaign.jobs, t.campaign.menu)
	for _, job := range planned.jobs {
		for _, fault := range job.faults {
			t.rows[fault].planned++
		}
	}
	for _, blow := range planned.deaths {
		t.rows[blow.kind].planned++
	}
	for kind, times := range o.struck {
		t.addDeaths(kind, times, o)
	}
	for _, lived := range o.lives {
		t.addLife(lived)
	}
}

// addDeaths counts the blows of one kind, and what carried the jobs on that were
// open when they fell.
func (t *tally) addDeaths(kind string, times []time.Time, o *outcome) {
	row := t.rows[kind]
	row.Injected += len(times)
	if len(o.problems) == 0 {
		row.Survived += len(times)
	}
	for _, lived := range o.lives {
		if !slices.ContainsFunc(times, lived.story.openAt) {
			continue
		}
		for how := range lived.story.rescued {
			row.Rescued[how]++
		}
	}
}

func (t *tally) addLife(l life) {
	if l.story.closed == enumspb.WORKFLOW_EXECUTION_STATUS_FAILED {
		t.report.Failures++
	}
	t.report.Duplicates += max(0, len(l.charges)-1)
	switch {
	case !l.story.lost:
	case l.operated == resubmit:
		t.report.Lost.Unsent++
	default:
		t.report.Lost.Responses++
		if l.operated == adopt {
			t.report.Lost.Operator++
		}
	}
	for _, how := range rescues {
		if l.story.rescued[how] {
			t.report.Rescues[how]++
		}
	}
	for _, fault := range l.met {
		row, ours := t.rows[fault]
		if !ours {
			continue
		}
		row.Injected++
		if l.well {
			row.Survived++
		}
		for how := range l.story.rescued {
			row.Rescued[how]++
		}
	}
}

const (
	// hitShare is the part of the planned faults and blows that must really have
	// happened: some are outrun, such as a death of a process that is dead.
	hitShare = 2
	// aloneShare is the part of lost responses, in percent, that must have been
	// found without an operator.
	aloneShare = 95
	// rareAfter is from how many seeds on the rescues that need luck must have
	// happened, too: a death between two packets, an operator.
	rareAfter = 50
)

// finish states what must have happened, and what of it did not.
func (t *tally) finish(took time.Duration) *Report {
	t.report.Took = took
	slices.Sort(t.report.Broken)
	var names []string
	for _, fault := range lumatest.Faults() {
		names = append(names, fault.Name)
	}
	for _, name := range append(names, Deaths()...) {
		row, ours := t.rows[name]
		if !ours || row.planned == 0 {
			continue
		}
		row.Minimum = (row.planned + hitShare - 1) / hitShare
		if row.Injected < row.Minimum {
			t.report.Missing = append(t.report.Missing, fmt.Sprintf("%s happened %d times, not %d", name, row.Injected, row.Minimum))
		}
		t.report.Rows = append(t.report.Rows, *row)
	}
	// Only the whole menu brings every rescue about.
	if len(t.campaign.menu.faults) == len(lumatest.Faults()) && t.report.Jobs >= jobsPerDeal {
		for _, how := range rescues {
			rare := how == byHeartbeat || how == byOperator
			if t.report.Rescues[how] == 0 && (!rare || t.report.Seeds >= rareAfter) {
				t.report.Missing = append(t.report.Missing, fmt.Sprintf("no job was rescued by %s", how))
			}
		}
	}
	if lost := t.report.Lost; t.report.Seeds >= rareAfter && (lost.Responses-lost.Operator)*100 < aloneShare*lost.Responses {
		t.report.Missing = append(t.report.Missing, fmt.Sprintf("%d of %d lost responses needed an operator", lost.Operator, lost.Responses))
	}
	return &t.report
}
