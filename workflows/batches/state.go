package batches

import (
	"time"

	"lumaflow/activities"
)

// State is what a batch carries from run to run: positions, counters and the window,
// and never the list of jobs.
type State struct {
	// Manifest is the location of the manifest and SHA256 its hash, both fixed before
	// the first start.
	Manifest string `json:"manifest"`
	SHA256   string `json:"sha256"`
	// Next is the index of the first line that was not processed, from 0.
	Next int `json:"next"`
	Counts
	// Window are the open jobs.
	Window []OpenJob `json:"window,omitempty"`
	// Ends are the last jobs of the window that ended, at most RateWindow, the oldest
	// first.
	Ends []Ending `json:"ends,omitempty"`
	// Concurrency, Paused and RetryRequested are what the updates have set.
	Concurrency    int  `json:"concurrency"`
	Paused         bool `json:"paused,omitempty"`
	RetryRequested bool `json:"retryRequested,omitempty"`
	// Stopped is why no more jobs start; empty if they do.
	Stopped string `json:"stopped,omitempty"`
	// Skipped counts the jobs that the budget does not permit to start, SkippedFrom is the
	// line of the first of them. The jobs after it that cost nothing are processed.
	Skipped     int `json:"skipped,omitempty"`
	SkippedFrom int `json:"skippedFrom,omitempty"`
	// Unwritten are the results that the file lacks, fewer than resultsPerWrite. Written
	// means that the file is about this manifest.
	Unwritten []activities.JobResult `json:"unwritten,omitempty"`
	Written   bool                   `json:"written,omitempty"`
	StartedAt time.Time              `json:"startedAt"`
	// Probe is the job that submits while kie.ai holds the account, the last one that the
	// batch has named. OpenSince is the time of the sweep that found that it was no longer
	// held; zero while it is.
	Probe     string    `json:"probe,omitempty"`
	OpenSince time.Time `json:"openSince,omitzero"`
}

// OpenJob is a job of the window.
type OpenJob struct {
	// Line is the line of the manifest, Job its workflow id.
	Line int    `json:"line"`
	Job  string `json:"job"`
	// Collector is the workflow id of the job that runs instead, to collect the task
	// of the job.
	Collector string `json:"collector,omitempty"`
	// Run is the run that the batch has started or found; empty if it is unknown.
	Run string `json:"run,omitempty"`
	// Pays means that the job may yet add to the charges of the batch.
	Pays bool `json:"pays,omitempty"`
	// Charges are those that were found when the batch came to the job: they are counted.
	Charges int `json:"charges,omitempty"`
	// Since is the time at which the batch has started or found the job.
	Since time.Time `json:"since,omitzero"`
	// Held is why kie.ai holds the job, if that concerns the whole account.
	Held string `json:"held,omitempty"`
}

// workflowID is the id of the workflow that runs.
func (j OpenJob) workflowID() string {
	if j.Collector != "" {
		return j.Collector
	}
	return j.Job
}

// result is the line of the results for the end of the job.
func (j OpenJob) result(end activities.JobEnd) activities.JobResult {
	end.Job = j.Job
	end.Charges += j.Charges
	return activities.JobResult{Line: j.Line, JobEnd: end, Collector: j.Collector}
}

// Ending is the end of a job.
type Ending struct {
	At time.Time `json:"at"`
	// Took is the time for which the job was in the window.
	Took time.Duration `json:"took,omitempty"`
	Done bool          `json:"done"`
}

// notStarted counts the jobs that are not started or found yet.
func (s *State) notStarted() int { return s.Jobs - s.Done - s.Failed - len(s.Window) }

// held counts the jobs that kie.ai holds for a reason that concerns the whole account.
func (s *State) held() (count int, reason string) {
	for _, job := range s.Window {
		if job.Held != "" {
			count, reason = count+1, job.Held
		}
	}
	return count, reason
}

// take removes the jobs that run as a workflow from the window.
func (s *State) take(workflowID string) (taken []OpenJob) {
	kept := s.Window[:0]
	for _, job := range s.Window {
		if job.workflowID() == workflowID {
			taken = append(taken, job)
		} else {
			kept = append(kept, job)
		}
	}
	s.Window = kept
	return taken
}
