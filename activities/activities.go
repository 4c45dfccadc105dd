// Package activities contains the activities of lumaflow. Each one makes one
// kind of contact with the outside (a paid submission, a read of the provider's
// record, a download, a receipt) and maps its errors to application errors.
package activities

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/client"

	"lumaflow/internal/callback"
	"lumaflow/internal/fetch"
	"lumaflow/internal/kie"
	"lumaflow/internal/paid/runs"
	"lumaflow/internal/store"
)

// DefaultModel is the model of a job that names none. Workflows can't import package kie.
const DefaultModel = kie.DefaultModel

// Provider is the part of kie.ai's API that the activities call. *kie.Client
// implements it.
type Provider interface {
	// Check completes a request, and rejects one that kie.ai would refuse or ignore a part
	// of, for free.
	Check(ctx context.Context, request kie.SubmitRequest, unchecked bool) (kie.SubmitRequest, error)
	Submit(ctx context.Context, request kie.SubmitRequest) (taskID string, err error)
	Record(ctx context.Context, model, taskID string) (kie.Record, error)
	// FindRecord looks the task up in all families.
	FindRecord(ctx context.Context, taskID string) (kie.Record, error)
	DownloadURL(ctx context.Context, url string) (string, error)
}

// Fetcher downloads a URL into a verified local file. *fetch.Fetcher implements
// it.
type Fetcher interface {
	Fetch(ctx context.Context, request fetch.Request) (*fetch.File, error)
}

// Recorder stores evidence on the Temporal server before it returns: as the
// heartbeat of an attempt or, once that attempt has timed out, as a signal to the
// job. It also signals the end of a job to its batch. client.Client implements it.
// activity.RecordHeartbeat would not do: it sends in the background and reports no
// error.
type Recorder interface {
	RecordActivityHeartbeatWithOptions(ctx context.Context, options client.RecordActivityHeartbeatOptions) error
	SignalWorkflow(ctx context.Context, workflowID, runID, signalName string, arg any) error
}

// Runs reads the runs of a job. runs.Reader implements it.
type Runs interface {
	// Intents are the intents to send that the run has on record since the schedule
	// of an activity, the oldest first.
	Intents(ctx context.Context, workflowID, runID, activityID string) ([]runs.Intent, error)
	// Earlier returns the payments of the other runs of the chain of a run. It continues
	// from the progress that an earlier call passed to keep.
	Earlier(ctx context.Context, workflowID, runID string, from runs.Progress, keep func(runs.Progress)) (runs.Earlier, error)
	// First is the first run of the chain of a run; empty if the server does not report
	// it.
	First(ctx context.Context, workflowID, runID string) (firstRunID string, err error)
	// Claimant is another job that has a task; empty if none is known.
	Claimant(ctx context.Context, taskID, exceptWorkflowID string) (workflowID string, err error)
	// Probe is the job of a batch that submits while kie.ai holds the account; empty if
	// there is none.
	Probe(ctx context.Context, batchID string) (jobID string, err error)
}

// Collector handles a paid task of a job that is over. runs.Collector implements it.
type Collector interface {
	Collect(ctx context.Context, workflowID, taskID string) (runs.Outcome, error)
}

// Options are the dependencies of the activities. Provider, Fetcher, Store,
// Recorder, Runs and Collector are required.
type Options struct {
	Provider  Provider
	Fetcher   Fetcher
	Store     store.Store
	Recorder  Recorder
	Runs      Runs
	Collector Collector
	// Callbacks mints the callback URL of each job; nil means that no callbacks
	// are received and jobs rely on polling.
	Callbacks *callback.Minter
	// Secrets verify that the callback URL in a provider's record is a job's.
	Secrets callback.Secrets
	// PollAfter is the delay of the first poll of a job that expects a callback,
	// PollInterval the pause between polls.
	PollAfter, PollInterval time.Duration
	// PollByModel delays the first poll of a model other than Luma Modify by the time
	// that it usually takes, instead of PollAfter.
	PollByModel bool
	// KeepSource stores a copy of each source video beside its results.
	KeepSource bool
	// SearchAttributes reports whether the namespace has lumaflow's search
	// attributes; nil means no.
	SearchAttributes func(context.Context) bool
	// GalleryURL is the address of the gallery, empty if there is none.
	GalleryURL string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Activities holds the shared dependencies. Its exported methods are the
// activities.
type Activities struct {
	options Options
	probe   *probe
}

// New returns the activities. Its error means that a required option is missing, the
// poll interval is not positive or the poll delay is negative.
func New(options Options) (*Activities, error) {
	switch {
	case options.Provider == nil, options.Fetcher == nil, options.Store == nil, options.Recorder == nil, options.Runs == nil, options.Collector == nil:
		return nil, errors.New("activities need a provider, a fetcher, a store, a recorder, a reader of runs and a collector")
	case options.PollInterval <= 0, options.PollAfter < 0:
		return nil, errors.New("activities need a positive poll interval and no negative poll delay")
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	return &Activities{options: options, probe: &probe{}}, nil
}

// Settings are the settings of a worker that a workflow depends on. They travel
// in the results and error details of activities and so are part of history: a
// replay on a worker with other settings reads the recorded ones.
type Settings struct {
	// Callbacks means that submissions carry a callback URL.
	Callbacks bool `json:"callbacks,omitempty"`
	// PollAfter is the delay of the first poll.
	PollAfter time.Duration `json:"pollAfter,omitempty"`
	// SearchAttributes means that the namespace has LumaStage and LumaTaskId.
	SearchAttributes bool `json:"searchAttributes,omitempty"`
	// Facts means that the run keeps its payments in its memo. Runs that lumaflow v0.1
	// began do not, and replay without.
	Facts bool `json:"facts,omitempty"`
	// GalleryURL is the address of the gallery, empty if there is none.
	GalleryURL string `json:"galleryUrl,omitempty"`
	// Usual is the time that a task of the model takes; zero for Luma Modify.
	Usual time.Duration `json:"usual,omitempty"`
	// KeepSource means that the job stores a copy of its source. Only jobs with Facts
	// do.
	KeepSource bool `json:"keepSource,omitempty"`
}

// settings returns the settings of this worker. facts means that the workflow code
// that scheduled the activity keeps its payments as facts: that of lumaflow v0.1, which
// may run beside this release, does not.
func (a *Activities) settings(ctx context.Context, model string, facts bool) Settings {
	settings := Settings{
		Callbacks: a.options.Callbacks != nil, PollAfter: a.options.PollInterval, Facts: facts, KeepSource: facts && a.options.KeepSource,
		GalleryURL: a.options.GalleryURL,
	}
	if settings.Callbacks {
		settings.PollAfter = a.options.PollAfter
		if a.options.PollByModel && model != "" {
			row, _ := kie.ModelOf(model)
			settings.PollAfter = row.FirstPoll()
		}
	}
	if model != "" {
		row, _ := kie.ModelOf(model)
		settings.Usual = row.Usual
	}
	if a.options.SearchAttributes != nil {
		settings.SearchAttributes = a.options.SearchAttributes(ctx)
	}
	return settings
}
