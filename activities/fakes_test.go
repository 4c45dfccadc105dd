package activities_test

import (
	"bytes"
	"context"
	"io/fs"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"

	"lumaflow/activities"
	"lumaflow/internal/callback"
	"lumaflow/internal/fetch"
	"lumaflow/internal/kie"
	"lumaflow/internal/store"
	"lumaflow/internal/telemetry/metrics/metricstest"
)

const task = "0123456789abcdef0123456789abcdef"

// provider is a scripted kie.ai.
type provider struct {
	submit      func(context.Context, kie.SubmitRequest) (string, error)
	record      func() (kie.Record, error)
	downloadURL func(string) (string, error)
}

func (p *provider) Submit(ctx context.Context, request kie.SubmitRequest) (string, error) {
	return p.submit(ctx, request)
}
func (p *provider) Record(context.Context, string) (kie.Record, error) { return p.record() }
func (p *provider) DownloadURL(_ context.Context, url string) (string, error) {
	return p.downloadURL(url)
}

// recorder keeps the evidence that reached the server.
type recorder struct {
	mu       sync.Mutex
	evidence []activities.Evidence
	// signalled is the evidence that was told to the job itself.
	signalled []activities.Evidence
	// refuse is what the server answers to a phase, away how often it is not
	// reached at all, over what it answers to a signal.
	refuse map[activities.Phase]error
	away   map[activities.Phase]int
	over   error
}

func (r *recorder) RecordActivityHeartbeat(_ context.Context, _ []byte, details ...any) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	evidence := details[0].(activities.Evidence)
	if r.away[evidence.Phase] > 0 {
		r.away[evidence.Phase]--
		return serviceerror.NewUnavailable("away")
	}
	if err := r.refuse[evidence.Phase]; err != nil {
		return err
	}
	r.evidence = append(r.evidence, evidence)
	return nil
}

func (r *recorder) SignalWorkflow(_ context.Context, workflowID, runID, signalName string, arg any) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if workflowID == "" || runID == "" || signalName != activities.EvidenceSignal {
		return serviceerror.NewInvalidArgument("the signal goes nowhere")
	}
	if r.over == nil {
		r.signalled = append(r.signalled, arg.(activities.Evidence))
	}
	return r.over
}

func (r *recorder) phases() []activities.Phase {
	r.mu.Lock()
	defer r.mu.Unlock()
	var phases []activities.Phase
	for _, evidence := range r.evidence {
		phases = append(phases, evidence.Phase)
	}
	return phases
}

type fetcher func(fetch.Request) (*fetch.File, error)

func (f fetcher) Fetch(_ context.Context, request fetch.Request) (*fetch.File, error) {
	return f(request)
}

// shelf is a store in memory, without what activities don't ask of one.
type shelf struct {
	store.Store
	videos   map[string]store.Source
	receipts map[string]store.Receipt
	fail     error
}

func (*shelf) Check(context.Context) error { return nil }

func (s *shelf) PutVideo(_ context.Context, name string, source store.Source) (string, error) {
	if s.fail != nil {
		return "", s.fail
	}
	s.videos[name] = source
	return "file:///videos/" + name, nil
}

func (s *shelf) Matches(_ context.Context, name string, bytes int64, sha256 string) (string, bool, error) {
	source, ok := s.videos[name]
	return "file:///videos/" + name, ok && source.Bytes == bytes && source.SHA256 == sha256, nil
}

func (s *shelf) PutReceipt(_ context.Context, name string, receipt store.Receipt) (string, error) {
	if s.fail != nil {
		return "", s.fail
	}
	s.receipts[name] = receipt
	return "file:///videos/" + name, nil
}

func (s *shelf) Receipt(_ context.Context, name string) (store.Receipt, error) {
	receipt, ok := s.receipts[name]
	if !ok {
		return receipt, fs.ErrNotExist
	}
	return receipt, nil
}

// bench is everything that one activity test works with.
type bench struct {
	*testsuite.TestActivityEnvironment
	provider *provider
	recorder *recorder
	shelf    *shelf
	options  activities.Options
	now      time.Time
	// log is what the activities logged, as lines of JSON.
	log   *bytes.Buffer
	shown metricstest.Recorder
}

func newBench(t *testing.T) *bench {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	logged := new(bytes.Buffer)
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.NewJSONHandler(logged, nil))))
	shown := metricstest.New()
	suite.SetMetricsHandler(shown)
	b := &bench{
		log:                     logged,
		TestActivityEnvironment: suite.NewTestActivityEnvironment(),
		provider:                &provider{},
		recorder:                &recorder{},
		shelf:                   &shelf{videos: map[string]store.Source{}, receipts: map[string]store.Receipt{}},
		now:                     time.Now(),
		shown:                   shown,
	}
	secrets, err := callback.ParseSecrets("a secret of at least thirty-two bytes")
	require.NoError(t, err)
	minter, err := callback.NewMinter("https://hooks.example.org", secrets)
	require.NoError(t, err)
	b.options = activities.Options{
		Provider:     b.provider,
		Fetcher:      fetcher(func(fetch.Request) (*fetch.File, error) { return nil, fs.ErrInvalid }),
		Store:        b.shelf,
		Recorder:     b.recorder,
		Callbacks:    minter,
		Secrets:      secrets,
		PollAfter:    10 * time.Minute,
		PollInterval: 30 * time.Second,
		Now:          func() time.Time { return b.now },
	}
	return b
}

// register makes the activities known; options may be changed before.
func (b *bench) register(t *testing.T) *activities.Activities {
	t.Helper()
	acts, err := activities.New(b.options)
	require.NoError(t, err)
	b.RegisterActivity(acts)
	return acts
}

// stoppable downloads until it is told to stop.
type stoppable struct{}

func (stoppable) Fetch(ctx context.Context, _ fetch.Request) (*fetch.File, error) {
	<-ctx.Done()
	return nil, &fetch.Error{Kind: fetch.Transient, Err: ctx.Err()}
}
