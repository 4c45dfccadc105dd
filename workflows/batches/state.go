package batches

import "time"

// State is what a batch carries from run to run: positions and counters, the window,
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
	// Canaries are the jobs of the canary that have not ended with a video.
	Started   int       `json:"started"`
	StartedAt time.Time `json:"startedAt"`
	// Ends are the last ended jobs, at most RateWindow, the oldest first.
	Ends []Ending `json:"ends,omitempty"`
	// Concurrency is the current setting.
	Concurrency int  `json:"concurrency"`
	Paused      bool `json:"paused,omitempty"`
	// Stopped is why no more jobs start; empty if they do.
	Stopped        string `json:"stopped,omitempty"`
	Changed        bool   `json:"changed,omitempty"`
	RetryRequested bool   `json:"retryRequested,omitempty"`
}

// OpenJob is an open job of the window.
type OpenJob struct {
	Job string `json:"job"`
	// Run is the run that the batch has started or found.
	Run string `json:"run,omitempty"`
	// Line is the line of the manifest, from 1.
	Line int `json:"line"`
	// Held means that kie.ai holds the job because the account has no credit.
	Held bool `json:"held,omitempty"`
}

// Ending is the end of a job.
type Ending struct {
	At   time.Time `json:"at"`
	Done bool      `json:"done"`
}
