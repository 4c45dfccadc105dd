// Package kietest simulates kie.ai, with a bill and a fault menu.
//
// It implements kie.ai's documentation and shares no code with package kie, so
// that client and simulator check each other. It simulates the submissions, records
// and callbacks of the families of models (a file each; Luma Modify's are luma_*.go), and
// what is common to kie.ai: retries and signatures of callbacks, download links, credit,
// uploads and the account's rate limit. Its results are playable videos.
//
// Every accepted submission is a charge of Price on the bill ([Server.Ledger], or
// GET /_sim/ledger), whether or not its answer arrives. The faults of a job
// ([Faults]) are chosen by a marker in its prompt,
//
//	a snowy street [fault: response-lost, truncated]
//
// or at random from a seeded menu. Two more markers shape the results:
// "[size: 500MB]" sets the size of each, "[results: 3]" their number.
// A few stock clips are served under /clips/ as sources of tasks ([SourcePath]).
// "[render: held]" delays the end of the generation until POST /_sim/release.
package kietest

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// Options configure a simulated kie.ai. The zero value has no faults and renders
// without delay.
type Options struct {
	// Seed determines every random choice: jobs with the same prompt and video
	// URL get the same faults under the same seed, in any order.
	Seed int64
	// Faults is the menu for jobs without a fault marker in the prompt. AllFaults
	// stands for all faults. Empty restricts faults to the markers.
	Faults []string
	// FaultRate is the probability, from 0 to 1, that a job gets one of the
	// menu's faults of a stage. It holds for each stage separately.
	FaultRate float64
	// FaultRepeats is the number of injections of a fault that affects "the first
	// requests". Zero means 2.
	FaultRepeats int

	// Render is the duration of a generation. Zero means none.
	Render time.Duration
	// Modify makes a result from an uploaded source; FFmpeg returns such a
	// function. Without it, a result is the unchanged upload. For a source that
	// was not uploaded here it is a stock clip.
	Modify func(ctx context.Context, in, out string) error

	// RateLimit is the number of submissions that the account may make in
	// RateWindow. Zero means 20, below zero means no limit.
	RateLimit int
	// RateWindow is the length of the rate limit's sliding window. Zero means
	// 10 s.
	RateWindow time.Duration
	// RetryAfter is the Retry-After header of temporary refusals, rounded up to
	// whole seconds. Zero sends none, as kie.ai documents none.
	RetryAfter time.Duration
	// Credits is the account's initial balance. Zero means 10 million, below zero
	// means none. A charge costs Price.
	Credits float64

	// APIKey is the only accepted key. Empty accepts any. POST /_sim/keys
	// replaces both keys.
	APIKey string
	// HMACKey signs callbacks. Empty sends them unsigned.
	HMACKey string
	// RequireUserAgent answers API requests without a browser-like User-Agent
	// with a bare 403 (observed of kie.ai's CDN).
	RequireUserAgent bool

	// BaseURL is the server's address for clients and the prefix of its links.
	// Empty means scheme and host of each request.
	BaseURL string
	// StateDir stores the bill and the uploads, so that both survive a killed
	// process: tasks are resumed, callbacks may be repeated. Empty keeps them in
	// memory and in a temporary folder.
	StateDir string

	// UploadLifetime is the time for which an upload can be fetched. Zero means
	// 24 h; with any other value, answers hold the time of expiry. A task whose
	// source is gone is charged and fails.
	UploadLifetime time.Duration
	// UploadFaults are the faults of the first uploads, one for each upload, in
	// the order of the menu: uploads have no prompt for a marker. See
	// UploadFaults.
	UploadFaults []string

	// SlowResponse is the delay of slow-response. Zero means 8 s.
	SlowResponse time.Duration
	// EchoLate is the time from the first poll to the echo of record-echo-late. Zero
	// means 5 s.
	EchoLate time.Duration
	// CallbackLate is the delay of callback-late. Zero means 2 minutes.
	CallbackLate time.Duration
	// CallbackTimeout bounds the answer of a receiver. Zero means 15 s.
	CallbackTimeout time.Duration
	// CallbackRetryEvery is the pause before each of the three retries of a
	// callback. Zero means 5 s; kie.ai documents no value.
	CallbackRetryEvery time.Duration
	// Client sends callbacks and fetches file-url-uploads. It follows no
	// redirect. Nil means a client of the server's own.
	Client *http.Client
	// Now is the clock for time stamps, the rate limit and the expiry of
	// links; delays run on real time. Nil means time.Now.
	Now func() time.Time
	// Logger gets the simulator's log. Nil disables logging.
	Logger *slog.Logger
}

const (
	defaultRateLimit    = 20
	defaultRateWindow   = 10 * time.Second
	defaultFaultRepeats = 2
	// defaultUploadLifetime is the shorter of the two times that kie.ai documents.
	defaultUploadLifetime = 24 * time.Hour
)

func (o Options) withDefaults() Options {
	o.BaseURL = strings.TrimRight(o.BaseURL, "/")
	o.FaultRepeats = orElse(o.FaultRepeats, defaultFaultRepeats)
	o.RateLimit = orElse(o.RateLimit, defaultRateLimit)
	o.RateWindow = orElse(o.RateWindow, defaultRateWindow)
	o.Credits = max(0, orElse(o.Credits, defaultCredits))
	o.UploadLifetime = orElse(o.UploadLifetime, defaultUploadLifetime)
	o.SlowResponse = orElse(o.SlowResponse, 8*time.Second)
	o.EchoLate = orElse(o.EchoLate, 5*time.Second)
	o.CallbackLate = orElse(o.CallbackLate, 2*time.Minute)
	o.CallbackTimeout = orElse(o.CallbackTimeout, 15*time.Second)
	o.CallbackRetryEvery = orElse(o.CallbackRetryEvery, 5*time.Second)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func orElse[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}
