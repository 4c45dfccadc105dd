package census_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/types/known/timestamppb"

	"lumaflow/activities"
	"lumaflow/census"
	"lumaflow/metrics/metricstest"
	"lumaflow/store"
	"lumaflow/workflows"
)

var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// job is one run of a job as the tests script it.
type job struct {
	id     string
	status enumspb.WorkflowExecutionStatus
	age    time.Duration
	// attribute is the stage in the search attributes, stage what it says itself.
	attribute, stage workflows.Stage
	input            workflows.ModifyVideoInput
	// taskID is the task that it polled, created and completed when that was made
	// and ended.
	taskID             string
	created, completed time.Time
	// failure is how its poll failed.
	failure string
	gone    bool
}

func (j job) open() bool { return j.status == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING }

// temporal is a Temporal with scripted jobs, the latest first.
type temporal struct {
	t    *testing.T
	jobs []job
	// taken are the tasks that other jobs have collected.
	taken map[string]bool

	mu             sync.Mutex
	down, silent   bool
	queries        []string
	asked, reads   int
	pages, counted int
}

func (f *temporal) check(query string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queries = append(f.queries, query)
	if f.down {
		return serviceerror.NewUnavailable("down")
	}
	return nil
}

func (f *temporal) selected(query string) []job {
	var selected []job
	for _, job := range f.jobs {
		if job.open() == strings.Contains(query, "'Running'") {
			selected = append(selected, job)
		}
	}
	return selected
}

func (f *temporal) ListWorkflow(_ context.Context, request *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	if err := f.check(request.GetQuery()); err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.pages++
	f.mu.Unlock()
	jobs := f.selected(request.GetQuery())
	from := 0
	if token := request.GetNextPageToken(); token != nil {
		_, err := fmt.Sscan(string(token), &from)
		require.NoError(f.t, err)
	}
	to := min(from+int(request.GetPageSize()), len(jobs))
	answer := &workflowservice.ListWorkflowExecutionsResponse{}
	for _, job := range jobs[from:to] {
		info := &workflowpb.WorkflowExecutionInfo{
			Execution: &commonpb.WorkflowExecution{WorkflowId: job.id, RunId: "run-of-" + job.id},
			StartTime: timestamppb.New(now.Add(-job.age)),
			Status:    job.status,
		}
		if job.attribute != "" {
			info.SearchAttributes = &commonpb.SearchAttributes{IndexedFields: map[string]*commonpb.Payload{
				workflows.StageAttribute: payload(f.t, string(job.attribute)),
			}}
		}
		answer.Executions = append(answer.Executions, info)
	}
	if to < len(jobs) {
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
	for id := range f.taken {
		if strings.Contains(request.GetQuery(), workflows.Equals(workflows.TaskIDAttribute, id)) {
			return &workflowservice.CountWorkflowExecutionsResponse{Count: 1}, nil
		}
	}
	if strings.Contains(request.GetQuery(), "LumaTaskId") {
		return &workflowservice.CountWorkflowExecutionsResponse{}, nil
	}
	return &workflowservice.CountWorkflowExecutionsResponse{Count: int64(len(f.selected(request.GetQuery())))}, nil
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

func (f *temporal) GetWorkflowHistory(_ context.Context, id, runID string, _ bool, _ enumspb.HistoryEventFilterType) client.HistoryEventIterator {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads++
	require.Equal(f.t, "run-of-"+id, runID)
	for _, job := range f.jobs {
		if job.id == id && !job.gone {
			return &events{events: f.history(job)}
		}
	}
	return &events{err: serviceerror.NewNotFound("forgotten")}
}

type events struct {
	events []*historypb.HistoryEvent
	err    error
}

func (e *events) HasNext() bool { return e.err != nil || len(e.events) > 0 }
func (e *events) Next() (*historypb.HistoryEvent, error) {
	if e.err != nil {
		return nil, e.err
	}
	next := e.events[0]
	e.events = e.events[1:]
	return next, nil
}

// history is what a job's history tells of its task.
func (f *temporal) history(job job) []*historypb.HistoryEvent {
	var all []*historypb.HistoryEvent
	add := func(event *historypb.HistoryEvent, kind enumspb.EventType) int64 {
		event.EventId, event.EventType = int64(len(all)+1), kind
		all = append(all, event)
		return event.EventId
	}
	schedule := func(activity string, input any) int64 {
		return add(&historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_ActivityTaskScheduledEventAttributes{
			ActivityTaskScheduledEventAttributes: &historypb.ActivityTaskScheduledEventAttributes{
				ActivityType: &commonpb.ActivityType{Name: activity}, Input: payloads(f.t, input),
			},
		}}, enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED)
	}
	complete := func(scheduled int64, result any) {
		add(&historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_ActivityTaskCompletedEventAttributes{
			ActivityTaskCompletedEventAttributes: &historypb.ActivityTaskCompletedEventAttributes{
				ScheduledEventId: scheduled, Result: payloads(f.t, result),
			},
		}}, enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED)
	}
	add(&historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{
		WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{Input: payloads(f.t, job.input)},
	}}, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED)
	if !job.created.IsZero() {
		complete(schedule("Identify", activities.IdentifyInput{TaskID: job.taskID}),
			activities.Identified{TaskID: job.taskID, CreatedAt: job.created})
	}
	if job.taskID == "" {
		return all
	}
	poll := schedule("Poll", activities.PollInput{TaskID: job.taskID})
	if !job.completed.IsZero() {
		complete(poll, activities.Finished{TaskID: job.taskID, CompletedAt: job.completed})
	}
	if job.failure != "" {
		add(&historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_ActivityTaskFailedEventAttributes{
			ActivityTaskFailedEventAttributes: &historypb.ActivityTaskFailedEventAttributes{
				ScheduledEventId: poll,
				Failure: &failurepb.Failure{FailureInfo: &failurepb.Failure_ApplicationFailureInfo{
					ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{Type: job.failure},
				}},
			},
		}}, enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED)
	}
	return all
}

func payload(t *testing.T, value any) *commonpb.Payload {
	made, err := converter.GetDefaultDataConverter().ToPayload(value)
	require.NoError(t, err)
	return made
}

func payloads(t *testing.T, value any) *commonpb.Payloads {
	return &commonpb.Payloads{Payloads: []*commonpb.Payload{payload(t, value)}}
}

// shelf is a store that has receipts by name.
type shelf struct {
	store.Store
	mu       sync.Mutex
	receipts map[string]store.Receipt
	err      error
}

func (s *shelf) Receipt(_ context.Context, name string) (store.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return store.Receipt{}, s.err
	}
	if receipt, ok := s.receipts[name]; ok {
		return receipt, nil
	}
	return store.Receipt{}, fmt.Errorf("receipt: %w", fs.ErrNotExist)
}

// value is what a gauge was last set to.
func (f *fixture) value(series string) float64 { return f.shown.Values()[series] }

// fixture is a census over scripted jobs.
type fixture struct {
	*census.Census
	temporal   *temporal
	shelf      *shelf
	shown      metricstest.Recorder
	attributes bool
	now        func() time.Time
}

func newFixture(t *testing.T, jobs ...job) *fixture {
	f := &fixture{
		temporal: &temporal{t: t, jobs: jobs, taken: map[string]bool{}},
		shelf:    &shelf{receipts: map[string]store.Receipt{}},
		shown:    metricstest.New(),
		now:      func() time.Time { return now },
	}
	f.Census = census.New(census.Options{
		Temporal:         f.temporal,
		TaskQueue:        "o'queue",
		Store:            f.shelf,
		Metrics:          f.shown,
		Logger:           slog.New(slog.DiscardHandler),
		SearchAttributes: func(context.Context) bool { return f.attributes },
		Now:              func() time.Time { return f.now() },
	})
	return f
}

var errDisk = errors.New("disk")
