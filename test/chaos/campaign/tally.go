package campaign

import (
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"lumaflow/workflows"
)

// Report is what a campaign found.
type Report struct {
	From int64 `json:"from"`
	// Seeds are those that were played to their end, Asked all that were to be.
	Seeds int `json:"seeds"`
	Asked int `json:"seedsAsked"`
	// JobsEach and Faults are what each seed was played with: it takes both to
	// play one again.
	JobsEach   int      `json:"jobsEach"`
	Faults     []string `json:"faults,omitempty"`
	Jobs       int      `json:"jobs"`
	Charges    int      `json:"charges"`
	Files      int      `json:"files"`
	Failures   int      `json:"failures"`
	Deaths     int      `json:"deaths"`
	Duplicates int      `json:"doubleCharges"`
	// Lost is about submissions whose outcome was unknown.
	Lost Lost `json:"lostSubmissions"`
	// Rows are the faults and the deaths, Rescues how many jobs were carried on by
	// what, and Needed how many must have been.
	Rows    []Row          `json:"rows"`
	Rescues map[rescue]int `json:"rescues"`
	Needed  map[rescue]int `json:"rescuesNeeded"`
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
	Survived int `json:"survived"`
	// Rescued counts the jobs that the fault hit, or that were open when the blow
	// fell, by what carried them on: past this or past whatever else they met.
	Rescued map[rescue]int `json:"rescued"`

	planned int
}

// tally adds outcomes up to a Report.
type tally struct {
	campaign *campaign
	report   Report
	rows     map[string]*Row
}

func newTally(c *campaign) *tally {
	t := &tally{campaign: c, rows: map[string]*Row{}, report: Report{
		From: c.from, Asked: c.seeds, JobsEach: c.jobs, Faults: c.faults,
		Rescues: map[rescue]int{}, Needed: map[rescue]int{}, Broken: []int64{}, Missing: []string{},
	}}
	for _, fault := range c.menu.faults {
		t.rows[fault.Name] = &Row{Name: fault.Name, Rescued: map[rescue]int{}}
	}
	for _, death := range c.menu.deaths {
		if death == DiskFull && !c.withDisk {
			continue
		}
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
		if row, ours := t.rows[blow.kind]; ours {
			row.planned++
		}
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
	case l.story.resolved == workflows.Resubmit, len(l.charges) == 0:
		t.report.Lost.Unsent++
	default:
		t.report.Lost.Responses++
		if l.story.resolved == workflows.AdoptTask {
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
