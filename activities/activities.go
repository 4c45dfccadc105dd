// Package activities is the Temporal boundary of lumaflow: each activity is one
// piece of contact with the outside (a paid submission, a look at the
// provider's record, a download, a receipt), and one table maps what can go
// wrong there to application errors.
package activities

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/activity"

	"lumaflow/internal/callback"
	"lumaflow/internal/fetch"
	"lumaflow/internal/kie"
	"lumaflow/internal/store"
)

// Provider is what the activities ask of kie.ai. *kie.Client is one.
type Provider interface {
	Submit(ctx context.Context, request kie.SubmitRequest) (taskID string, err error)
	Record(ctx context.Context, taskID string) (kie.Record, error)
	DownloadURL(ctx context.Context, url string) (string, error)
}

// Fetcher turns a URL into a verified local file. *fetch.Fetcher is one.
type Fetcher interface {
	Fetch(ctx context.Context, request fetch.Request) (*fetch.File, error)
}

// Recorder stores evidence on the Temporal server before it returns: with the
// attempt that it belongs to or, once that was given up, as a signal to the
// job. client.Client is one. activity.RecordHeartbeat is not: it batches in the
// background and reports no error.
type Recorder interface {
	RecordActivityHeartbeat(ctx context.Context, taskToken []byte, details ...any) error
	SignalWorkflow(ctx context.Context, workflowID, runID, signalName string, arg any) error
}

// Options are what the activities work with. Provider, Fetcher, Store and
// Recorder are required.
type Options struct {
	Provider Provider
	Fetcher  Fetcher
	Store    store.Store
	Recorder Recorder
	// Callbacks mints the callback URL of each job; nil means that nobody
	// receives callbacks and that jobs rely on polling.
	Callbacks *callback.Minter
	// Secrets recognise the callback URL of a job in a provider's record.
	Secrets callback.Secrets
	// PollAfter is how long a job that expects a callback waits before it
	// polls, PollInterval how long between polls.
	PollAfter, PollInterval time.Duration
	// SearchAttributes reports whether the namespace has lumaflow's search
	// attributes; nil means no.
	SearchAttributes func(context.Context) bool
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Activities holds what the activities share. Its exported methods are the
// activities.
type Activities struct {
	Options
}

// New checks the options and returns the activities.
func New(options Options) (*Activities, error) {
	switch {
	case options.Provider == nil, options.Fetcher == nil, options.Store == nil, options.Recorder == nil:
		return nil, errors.New("activities need a provider, a fetcher, a store and a recorder")
	case options.PollInterval <= 0, options.PollAfter < 0:
		return nil, errors.New("activities need a positive poll interval and no negative poll delay")
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	return &Activities{options}, nil
}

// Settings are what a job must know of the worker that served it. They travel
// in the results and in the error details of activities and so become history:
// a replay on a worker with other settings sees what the first run saw.
type Settings struct {
	// Callbacks says that submissions carry a callback URL.
	Callbacks bool `json:"callbacks,omitempty"`
	// PollAfter is when to poll for the first time.
	PollAfter time.Duration `json:"pollAfter,omitempty"`
	// SearchAttributes says that the namespace has LumaStage and LumaTaskId.
	SearchAttributes bool `json:"searchAttributes,omitempty"`
}

func (a *Activities) settings(ctx context.Context) Settings {
	settings := Settings{Callbacks: a.Callbacks != nil, PollAfter: a.PollInterval}
	if settings.Callbacks {
		settings.PollAfter = a.PollAfter
	}
	if a.SearchAttributes != nil {
		settings.SearchAttributes = a.SearchAttributes(ctx)
	}
	return settings
}

// callbackURL is where kie.ai reports the end of this job's task; empty if
// nobody listens.
func (a *Activities) callbackURL(info activity.Info) string {
	if a.Callbacks == nil {
		return ""
	}
	return a.Callbacks.URL(info.Namespace, info.WorkflowExecution.ID)
}
