package campaign

import (
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"lumaflow/workflows"
)

// Report is the result of a campaign.
type Report struct {
	From int64 `json:"from"`
	// Seeds counts the completed seeds, Asked the requested ones.
	Seeds int `json:"seeds"`
	Asked int `json:"seedsAsked"`
	// JobsEach and Faults are the flags that the plan of a seed depends on.
	JobsEach   int      `json:"jobsEach"`
	Faults     []string `json:"faults,omitempty"`
	Jobs       int      `json:"jobs"`
	Charges    int      `json:"charges"`
	Files      int      `json:"files"`
	Failures   int      `json:"failures"`
	Deaths     int      `json:"deaths"`
	Duplicates int      `json:"doubleCharges"`
	// Lost counts the submissions with an unknown outcome.
	Lost Lost `json:"lostSubmissions"`
	// Rows are the faults and the deaths. Rescues counts the rescued jobs, Needed is
	// their minimum.
	Rows    []Row          `json:"rows"`
	Rescues map[rescue]int `json:"rescues"`
	Needed  map[rescue]int `json:"rescuesNeeded"`
	// Broken lists the seeds that failed, Missing the minimums that were not
	// reached.
	Broken  []int64       `json:"broken"`
	Missing []string      `json:"missing"`
	Took    time.Duration `json:"tookNanoseconds"`
}

// Lost counts submissions with an unknown outcome by how they were resolved.
type Lost struct {
	// Responses counts charged submissions whose response was lost.
	Responses int `json:"responses"`
	// Operator counts those of them that an operator resolved.
	Operator int `json:"operator"`
	// Unsent counts submissions that were never charged: their worker died between
	// its intent and its request, or after it received the refusal. Only the bill
	// shows that.
	Unsent int `json:"unsent"`
}

// Row counts one fault or death.
type Row struct {
	Name string `json:"name"`
	// Injected counts the jobs that met the fault, or the injected deaths; Minimum
	// is the required number.
	Injected int `json:"injected"`
	Minimum  int `json:"minimum"`
	// Survived counts those of Injected that passed: jobs with the fault, or deaths
	// in passed seeds.
	Survived int `json:"survived"`
	// Rescued counts the jobs that met the fault, or were open at the death, by
	// their rescues from this or any other fault.
	Rescued map[rescue]int `json:"rescued"`

	planned int
}

// tally sums results up to a Report.
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

func (t *tally) add(result *seedResult) {
	t.report.Seeds++
	t.report.Jobs += len(result.jobs)
	t.report.Charges += result.ledger.Charges
	t.report.Files += result.files
	t.report.Deaths += result.deaths()
	if len(result.problems) > 0 {
		t.report.Broken = append(t.report.Broken, result.seed)
	}
	planned := newSchedule(result.seed, t.campaign.jobs, t.campaign.menu)
	for _, job := range planned.jobs {
		for _, fault := range job.faults {
			t.rows[fault].planned++
		}
	}
	for _, death := range planned.deaths {
		if row, selected := t.rows[death.kind]; selected {
			row.planned++
		}
	}
	for kind, times := range result.injected {
		t.addDeaths(kind, times, result)
	}
	for _, checked := range result.jobs {
		t.addJob(checked)
	}
}

// addDeaths counts the deaths of one kind and the rescues of the jobs that were
// open at their times.
func (t *tally) addDeaths(kind string, times []time.Time, result *seedResult) {
	row := t.rows[kind]
	row.Injected += len(times)
	if len(result.problems) == 0 {
		row.Survived += len(times)
	}
	for _, checked := range result.jobs {
		if !slices.ContainsFunc(times, checked.history.openAt) {
			continue
		}
		for how := range checked.history.rescued {
			row.Rescued[how]++
		}
	}
}

func (t *tally) addJob(checked jobResult) {
	if checked.history.closed == enumspb.WORKFLOW_EXECUTION_STATUS_FAILED {
		t.report.Failures++
	}
	t.report.Duplicates += max(0, len(checked.charges)-1)
	switch {
	case !checked.history.unknown:
	case checked.history.resolved == workflows.Resubmit, len(checked.charges) == 0:
		t.report.Lost.Unsent++
	default:
		t.report.Lost.Responses++
		if checked.history.resolved == workflows.AdoptTask {
			t.report.Lost.Operator++
		}
	}
	for _, how := range rescues {
		if checked.history.rescued[how] {
			t.report.Rescues[how]++
		}
	}
	for _, fault := range checked.faults {
		row, selected := t.rows[fault]
		if !selected {
			continue
		}
		row.Injected++
		if checked.passed {
			row.Survived++
		}
		for how := range checked.history.rescued {
			row.Rescued[how]++
		}
	}
}
