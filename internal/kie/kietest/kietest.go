// Package kietest simulates kie.ai's Luma API, with a bill and a fault menu.
//
// It is written from the provider's documentation alone and shares no code
// with package luma, so that client and simulator check each other. It speaks
// the submission, the record, the callbacks with their retries and signatures,
// download links, credit, uploads and the account's rate limit, and serves
// real, playable videos.
//
// Every accepted submission is a charge on the bill ([Server.Ledger], or GET
// /_sim/ledger), whether or not its answer arrives. What goes wrong is chosen
// per job by a marker in its prompt,
//
//	a snowy street [fault: response-lost, truncated]
//
// or at random from a seeded menu. Two more markers shape the results:
// "[size: 500MB]" makes every result that large, "[results: 3]" makes several.
// "[render: held]" has the generation go on until POST /_sim/release.
package kietest

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// Options configure a simulated kie.ai. The zero value is a healthy provider
// that renders at once.
type Options struct {
	// Seed fixes every random choice: jobs with the same prompt and video URL
	// meet the same faults under the same seed, in whatever order they come.
	Seed int64
	// Faults is the menu for jobs whose prompt names no faults. AllFaults puts
	// everything on it. Empty leaves the choice to the prompts.
	Faults []string
	// FaultRate is the chance, from 0 to 1 and at each stage of a job's life,
	// to meet one of the menu's faults for that stage.
	FaultRate float64
	// Strikes is how often a fault that hits "the first requests" does so.
	// Zero means 2.
	Strikes int

	// Render is how long a generation takes. Zero means no time at all.
	Render time.Duration
	// Modify turns an uploaded source into a result. Without it, and for
	// sources that were not uploaded here, results are stock clips or the
	// unchanged upload. FFmpeg makes one.
	Modify func(ctx context.Context, in, out string) error

	// RateLimit is how many submissions the account may make in RateWindow.
	// Zero means 20, below zero means no limit.
	RateLimit int
	// RateWindow is the length of the rate limit's sliding window. Zero means
	// 10 s.
	RateWindow time.Duration
	// RetryAfter is sent as the Retry-After header of refusals that pass, in
	// whole seconds, rounded up. Zero sends none, as kie.ai documents none.
	RetryAfter time.Duration
	// Credits is the account's balance. Zero means 10 million, below zero
	// means none. A charge costs Price.
	Credits float64

	// APIKey is the only key that is accepted. Empty accepts any. POST
	// /_sim/keys replaces both keys.
	APIKey string
	// HMACKey signs callbacks. Empty sends them unsigned.
	HMACKey string
	// RequireUserAgent refuses API requests that name no browser-like
	// User-Agent with a bare 403, as kie.ai's CDN has been seen to do.
	RequireUserAgent bool

	// BaseURL is where clients reach the server; the links it gives out begin
	// with it. Empty takes scheme and host from each request.
	BaseURL string
	// StateDir keeps the bill and the uploads, so that both survive a killed
	// process: tasks go on where they were, callbacks may come again. Empty
	// keeps them in memory and in a temporary folder.
	StateDir string

	// UploadLifetime is how long an upload can be fetched. Zero means 24 h;
	// with any other, answers say when the upload expires. A task whose source
	// is gone is charged and fails.
	UploadLifetime time.Duration
	// UploadFaults spoil uploads: each spoils one, in the order of the menu.
	// Uploads have no prompt to name their faults in. See UploadFaults.
	UploadFaults []string

	// SlowResponse is the delay of slow-response. Zero means 8 s.
	SlowResponse time.Duration
	// CallbackLate is the delay of callback-late. Zero means 2 minutes.
	CallbackLate time.Duration
	// CallbackTimeout is how long a receiver may take. Zero means 15 s.
	CallbackTimeout time.Duration
	// CallbackRetryEvery is the pause before each of the three retries of a
	// callback. Zero means 5 s; kie.ai documents no value.
	CallbackRetryEvery time.Duration
	// Client sends callbacks and fetches file-url-uploads. It never follows
	// the redirect of a callback. Nil means a client of the server's own.
	Client *http.Client
	// Now is the clock for time stamps, the rate limit and the expiry of
	// links; delays run on real time. Nil means time.Now.
	Now func() time.Time
	// Logger takes what the simulator does. Nil means silence.
	Logger *slog.Logger
}

// Price is what one accepted submission costs, in credits. kie.ai documents
// no price for it; users have assumed 100 credits.
const Price = 100

const (
	defaultCredits    = 10_000_000
	defaultRateLimit  = 20
	defaultRateWindow = 10 * time.Second
	defaultStrikes    = 2
	// defaultUploadLifetime is the shorter of the two that kie.ai documents.
	defaultUploadLifetime = 24 * time.Hour
)

func (o Options) withDefaults() Options {
	o.BaseURL = strings.TrimRight(o.BaseURL, "/")
	o.Strikes = orElse(o.Strikes, defaultStrikes)
	o.RateLimit = orElse(o.RateLimit, defaultRateLimit)
	o.RateWindow = orElse(o.RateWindow, defaultRateWindow)
	o.Credits = max(0, orElse(o.Credits, defaultCredits))
	o.UploadLifetime = orElse(o.UploadLifetime, defaultUploadLifetime)
	o.SlowResponse = orElse(o.SlowResponse, 8*time.Second)
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
