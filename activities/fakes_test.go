package activities_test

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"

	"lumaflow/activities"
	"lumaflow/internal/callback"
	"lumaflow/internal/fetch"
	"lumaflow/internal/kie"
	"lumaflow/internal/paid/runs"
	"lumaflow/internal/store"
	"lumaflow/test/metricstest"
)

const taskID = "0123456789abcdef0123456789abcdef"

// provider is a scripted kie.ai.
type provider struct {
	// find replaces record for a look-up in all families.
	find        func() (kie.Record, error)
	submit      func(context.Context, kie.SubmitRequest) (string, error)
	record      func() (kie.Record, error)
	downloadURL func(string) (string, error)
}

func (p *provider) Submit(ctx context.Context, request kie.SubmitRequest) (string, error) {
	return p.submit(ctx, request)
}
func (p *provider) Record(context.Context, string, string) (kie.Record, error) { return p.record() }

func (p *provider) Check(_ context.Context, request kie.SubmitRequest, _ bool) (kie.SubmitRequest, error) {
	model, _ := kie.ModelOf(request.Model)
	return request, model.CheckOptions(request.Prompt, request.Options)
}

func (p *provider) FindRecord(context.Context, string) (kie.Record, error) {
	if p.find != nil {
		return p.find()
	}
	return p.record()
}
func (p *provider) DownloadURL(_ context.Context, url string) (string, error) {
	return p.downloadURL(url)
}

// recorder keeps the evidence that the server has stored.
type recorder struct {
	mu       sync.Mutex
	evidence []activities.Evidence
	// signalled is the evidence that was sent to the job as a signal.
	signalled []activities.Evidence
	// refuse is the server's error for a phase, unavailable the number of failed
	// requests before that, signalError its error for a signal.
	refuse      map[activities.Phase]error
	unavailable map[activities.Phase]int
	signalError error
	// runError and latestError are the errors for a signal to the run that submitted
	// and to the latest run, intentError is that for an intent.
	runError, latestError, intentError error
	// ledger takes the intents.
	ledger *ledger
}

func (r *recorder) RecordActivityHeartbeatWithOptions(_ context.Context, heartbeat client.RecordActivityHeartbeatOptions) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	evidence := heartbeat.Details[0].(activities.Evidence)
	if r.unavailable[evidence.Phase] > 0 {
		r.unavailable[evidence.Phase]--
		return serviceerror.NewUnavailable("unavailable")
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
	evidence := arg.(activities.Evidence)
	switch {
	case workflowID != "" && runID != "" && signalName == activities.IntentSignal:
		if r.intentError == nil {
			r.ledger.intents = append(r.ledger.intents, runs.Intent{ID: evidence.Intent, At: evidence.At, Attempts: evidence.Attempts})
		}
		return r.intentError
	case workflowID == "" || signalName != activities.EvidenceSignal:
		return serviceerror.NewInvalidArgument("unexpected signal")
	}
	err := r.signalError
	switch {
	case runID != "" && r.runError != nil:
		err = r.runError
	case runID == "" && r.latestError != nil:
		err = r.latestError
	}
	if err == nil {
		r.signalled = append(r.signalled, evidence)
	}
	return err
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

// ledger is what the server has on record about the runs of a job.
type ledger struct {
	intents []runs.Intent
	earlier runs.Earlier
	// readEarlier replaces earlier; nil means none.
	readEarlier func(context.Context, runs.Progress, func(runs.Progress)) (runs.Earlier, error)
	claimant    string
	// probe is the job that a batch has elected to probe.
	probe string
	// first is the first run of the chain.
	first     string
	collected []string
	err       error
}

func (l *ledger) Intents(context.Context, string, string, string) ([]runs.Intent, error) {
	return l.intents, l.err
}

func (l *ledger) Earlier(ctx context.Context, _, _ string, from runs.Progress, keep func(runs.Progress)) (runs.Earlier, error) {
	if l.readEarlier != nil {
		return l.readEarlier(ctx, from, keep)
	}
	return l.earlier, l.err
}

func (l *ledger) First(context.Context, string, string) (string, error) { return l.first, l.err }

func (l *ledger) Probe(context.Context, string) (string, error) { return l.probe, l.err }

func (l *ledger) Claimant(context.Context, string, string) (string, error) { return l.claimant, l.err }

func (l *ledger) Collect(_ context.Context, _, taskID string) (runs.Outcome, error) {
	l.collected = append(l.collected, taskID)
	return runs.Collecting, l.err
}

type fetcher func(fetch.Request) (*fetch.File, error)

func (f fetcher) Fetch(_ context.Context, request fetch.Request) (*fetch.File, error) {
	return f(request)
}

// memoryStore is a store in memory with the methods that activities call.
type memoryStore struct {
	store.Store
	videos   map[string]store.Source
	receipts map[string]store.Receipt
	fail     error
}

func (*memoryStore) Check(context.Context) error { return nil }

func (s *memoryStore) PutVideo(_ context.Context, name string, source store.Source) (string, error) {
	if s.fail != nil {
		return "", s.fail
	}
	s.videos[name] = source
	return "file:///videos/" + name, nil
}

func (s *memoryStore) Matches(_ context.Context, name string, bytes int64, sha256 string) (string, bool, error) {
	source, ok := s.videos[name]
	return "file:///videos/" + name, ok && source.Bytes == bytes && source.SHA256 == sha256, nil
}

func (s *memoryStore) PutReceipt(_ context.Context, name string, receipt store.Receipt) (string, error) {
	if s.fail != nil {
		return "", s.fail
	}
	s.receipts[name] = receipt
	return "file:///videos/" + name, nil
}

func (s *memoryStore) Receipt(_ context.Context, name string) (store.Receipt, error) {
	receipt, ok := s.receipts[name]
	if !ok {
		return receipt, fs.ErrNotExist
	}
	return receipt, nil
}

// Open finds nothing: the videos have no content.
func (*memoryStore) Open(context.Context, string) (io.ReadCloser, error) { return nil, fs.ErrNotExist }

// fixture is the environment of one activity test.
type fixture struct {
	*testsuite.TestActivityEnvironment
	provider *provider
	recorder *recorder
	ledger   *ledger
	stored   *memoryStore
	options  activities.Options
	now      time.Time
	// log holds the log lines of the activities, as JSON.
	log      *bytes.Buffer
	measured metricstest.Recorder
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	lines := new(bytes.Buffer)
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.NewJSONHandler(lines, nil))))
	measured, records := metricstest.New(), &ledger{}
	suite.SetMetricsHandler(measured)
	f := &fixture{
		log:                     lines,
		TestActivityEnvironment: suite.NewTestActivityEnvironment(),
		provider:                &provider{},
		recorder:                &recorder{ledger: records},
		ledger:                  records,
		stored:                  &memoryStore{videos: map[string]store.Source{}, receipts: map[string]store.Receipt{}},
		now:                     time.Now(),
		measured:                measured,
	}
	secrets, err := callback.ParseSecrets("a secret of at least thirty-two bytes")
	require.NoError(t, err)
	minter, err := callback.NewMinter("https://hooks.example.org", secrets)
	require.NoError(t, err)
	f.options = activities.Options{
		Provider:     f.provider,
		Fetcher:      fetcher(func(fetch.Request) (*fetch.File, error) { return nil, fs.ErrInvalid }),
		Store:        f.stored,
		Recorder:     f.recorder,
		Runs:         f.ledger,
		Collector:    f.ledger,
		Callbacks:    minter,
		Secrets:      secrets,
		PollAfter:    10 * time.Minute,
		PollInterval: 30 * time.Second,
		Now:          func() time.Time { return f.now },
	}
	return f
}

// register registers the activities; options may be changed before.
func (f *fixture) register(t *testing.T) *activities.Activities {
	t.Helper()
	acts, err := activities.New(f.options)
	require.NoError(t, err)
	f.RegisterActivity(acts)
	return acts
}

// stoppable downloads until its context ends.
type stoppable struct{}

func (stoppable) Fetch(ctx context.Context, _ fetch.Request) (*fetch.File, error) {
	<-ctx.Done()
	return nil, &fetch.Error{Kind: fetch.Transient, Err: ctx.Err()}
}
