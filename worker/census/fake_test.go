package census_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/types/known/timestamppb"

	"lumaflow/starter"
	"lumaflow/test/metricstest"
	"lumaflow/worker/census"
	"lumaflow/workflows"
)

var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// job is one open job.
type job struct {
	id  string
	age time.Duration
	// attribute is the stage in the search attributes, stage the one in the answer
	// to the status query.
	attribute, stage workflows.Stage
}

// temporal is a Temporal with scripted jobs, the latest first.
type temporal struct {
	t    *testing.T
	jobs []job

	mu sync.Mutex
	// down fails every request, noWorker every query of a workflow.
	down, noWorker bool
	// filter is the last visibility query.
	filter                        string
	queries, pages, countRequests int
}

func (f *temporal) check(query string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.filter = query
	if f.down {
		return serviceerror.NewUnavailable("down")
	}
	return nil
}

func (f *temporal) ListWorkflow(_ context.Context, request *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	if err := f.check(request.GetQuery()); err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.pages++
	f.mu.Unlock()
	from := 0
	if token := request.GetNextPageToken(); token != nil {
		_, err := fmt.Sscan(string(token), &from)
		require.NoError(f.t, err)
	}
	to := min(from+int(request.GetPageSize()), len(f.jobs))
	page := &workflowservice.ListWorkflowExecutionsResponse{}
	for _, job := range f.jobs[from:to] {
		info := &workflowpb.WorkflowExecutionInfo{
			Execution: &commonpb.WorkflowExecution{WorkflowId: job.id, RunId: "run-of-" + job.id},
			StartTime: timestamppb.New(now.Add(-job.age)),
		}
		if job.attribute != "" {
			info.SearchAttributes = &commonpb.SearchAttributes{IndexedFields: map[string]*commonpb.Payload{
				workflows.StageAttribute: payload(f.t, string(job.attribute)),
			}}
		}
		page.Executions = append(page.Executions, info)
	}
	if to < len(f.jobs) {
		page.NextPageToken = fmt.Append(nil, to)
	}
	return page, nil
}

func (f *temporal) CountWorkflow(_ context.Context, request *workflowservice.CountWorkflowExecutionsRequest) (*workflowservice.CountWorkflowExecutionsResponse, error) {
	if err := f.check(request.GetQuery()); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.countRequests++
	return &workflowservice.CountWorkflowExecutionsResponse{Count: int64(len(f.jobs))}, nil
}

func (f *temporal) QueryWorkflow(_ context.Context, id, runID, query string, _ ...any) (converter.EncodedValue, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queries++
	require.Equal(f.t, workflows.StatusQuery, query)
	require.Equal(f.t, "run-of-"+id, runID)
	for _, job := range f.jobs {
		if job.id == id && !f.noWorker && job.stage != "" {
			return encoded{workflows.Status{Stage: job.stage}}, nil
		}
	}
	return nil, serviceerror.NewDeadlineExceeded("no worker")
}

type encoded struct{ status workflows.Status }

func (e encoded) HasValue() bool { return true }
func (e encoded) Get(into any) error {
	*into.(*workflows.Status) = e.status
	return nil
}

func payload(t *testing.T, value any) *commonpb.Payload {
	made, err := converter.GetDefaultDataConverter().ToPayload(value)
	require.NoError(t, err)
	return made
}

// media finds the scripted videos at risk.
type media struct {
	found    []starter.Risk
	err      error
	searches int
	filter   starter.RiskFilter
}

func (m *media) AtRisk(_ context.Context, filter starter.RiskFilter) (starter.Risks, error) {
	m.searches++
	m.filter = filter
	return starter.Risks{Found: m.found}, m.err
}

// polling holds the identities of the workers that poll the task queue.
type polling struct {
	mu         sync.Mutex
	identities []string
	err        error
}

func (p *polling) set(identities ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.identities = identities
}

func (p *polling) Any(_ context.Context, match func(*taskqueuepb.PollerInfo) bool) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := slices.ContainsFunc(p.identities, func(identity string) bool {
		return match(&taskqueuepb.PollerInfo{Identity: identity})
	})
	return found, p.err
}

// assertGauges compares the last values of the given gauges.
func (f *fixture) assertGauges(t *testing.T, want map[string]float64) {
	t.Helper()
	got := f.recorder.Values()
	maps.DeleteFunc(got, func(series string, _ float64) bool {
		_, wanted := want[series]
		return !wanted
	})
	assert.Equal(t, want, got)
}

// fixture is a census over scripted jobs.
type fixture struct {
	*census.Census
	temporal *temporal
	media    *media
	polling  *polling
	recorder metricstest.Recorder
	log      *bytes.Buffer
	now      time.Time
	// clock returns now, unless a test replaces it.
	clock func() time.Time
}

func newFixture(t *testing.T, jobs ...job) *fixture {
	f := &fixture{
		temporal: &temporal{t: t, jobs: jobs},
		media:    &media{},
		polling:  &polling{},
		recorder: metricstest.New(),
		log:      &bytes.Buffer{},
		now:      now,
	}
	f.clock = func() time.Time { return f.now }
	f.Census = census.New(census.Options{
		Temporal:  f.temporal,
		Jobs:      f.media,
		Pollers:   f.polling,
		Identity:  census.Identity("5@host@", true),
		TaskQueue: "o'queue",
		Metrics:   f.recorder,
		Logger:    slog.New(slog.NewTextHandler(f.log, nil)),
		Now:       func() time.Time { return f.clock() },
	})
	return f
}
