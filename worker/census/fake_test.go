package census_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/types/known/timestamppb"

	"lumaflow/internal/telemetry/metrics/metricstest"
	"lumaflow/starter"
	"lumaflow/worker/census"
	"lumaflow/workflows"
)

var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// job is one open job.
type job struct {
	id  string
	age time.Duration
	// attribute is the stage in the search attributes, stage what it says itself.
	attribute, stage workflows.Stage
}

// temporal is a Temporal with scripted jobs, the latest first.
type temporal struct {
	t    *testing.T
	jobs []job

	mu                    sync.Mutex
	down, silent          bool
	query                 string
	asked, pages, counted int
}

func (f *temporal) check(query string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.query = query
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
	answer := &workflowservice.ListWorkflowExecutionsResponse{}
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
		answer.Executions = append(answer.Executions, info)
	}
	if to < len(f.jobs) {
		answer.NextPageToken = fmt.Append(nil, to)
	}
	return answer, nil
}

func (f *temporal) CountWorkflow(_ context.Context, request *workflowservice.CountWorkflowExecutionsRequest) (*workflowservice.CountWorkflowExecutionsResponse, error) {
	if err := f.check(request.GetQuery()); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counted++
	return &workflowservice.CountWorkflowExecutionsResponse{Count: int64(len(f.jobs))}, nil
}

func (f *temporal) QueryWorkflow(_ context.Context, id, runID, query string, _ ...any) (converter.EncodedValue, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	require.Equal(f.t, workflows.StatusQuery, query)
	require.Equal(f.t, "run-of-"+id, runID)
	for _, job := range f.jobs {
		if job.id == id && !f.silent && job.stage != "" {
			return answer{workflows.Status{Stage: job.stage}}, nil
		}
	}
	return nil, serviceerror.NewDeadlineExceeded("no worker")
}

type answer struct{ status workflows.Status }

func (a answer) HasValue() bool { return true }
func (a answer) Get(into any) error {
	*into.(*workflows.Status) = a.status
	return nil
}

func payload(t *testing.T, value any) *commonpb.Payload {
	made, err := converter.GetDefaultDataConverter().ToPayload(value)
	require.NoError(t, err)
	return made
}

// clock finds the videos at risk that the tests script.
type clock struct {
	found  []starter.Risk
	err    error
	asked  int
	filter starter.RiskFilter
}

func (c *clock) AtRisk(_ context.Context, filter starter.RiskFilter) (starter.Risks, error) {
	c.asked++
	c.filter = filter
	return starter.Risks{Found: c.found}, c.err
}

// value is what a gauge was last set to.
func (f *fixture) value(series string) float64 { return f.shown.Values()[series] }

// fixture is a census over scripted jobs.
type fixture struct {
	*census.Census
	temporal *temporal
	clock    *clock
	shown    metricstest.Recorder
	log      *bytes.Buffer
	now      time.Time
}

func newFixture(t *testing.T, jobs ...job) *fixture {
	f := &fixture{
		temporal: &temporal{t: t, jobs: jobs},
		clock:    &clock{},
		shown:    metricstest.New(),
		log:      &bytes.Buffer{},
		now:      now,
	}
	f.Census = census.New(census.Options{
		Temporal:  f.temporal,
		Jobs:      f.clock,
		TaskQueue: "o'queue",
		Metrics:   f.shown,
		Logger:    slog.New(slog.NewTextHandler(f.log, nil)),
		Now:       func() time.Time { return f.now },
	})
	return f
}
