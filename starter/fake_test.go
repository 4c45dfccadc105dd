package starter_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	deploymentpb "go.temporal.io/api/deployment/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/types/known/timestamppb"

	"lumaflow/workflows"
)

const taskID = "0123456789abcdef0123456789abcdef"

// request is what the tests ask for, jobID its job.
var request = workflows.ModifyVideoInput{Prompt: "snow", VideoURL: "https://example.org/in.mp4"}

const jobID = "luma-22e745999ea50e3e29c2388ba4b27a79"

// temporal is a Temporal that holds jobs for the tests to script.
type temporal struct {
	t *testing.T

	mu   sync.Mutex
	runs map[string]*run
	// past are runs that another one of the same id has followed.
	past     []*run
	starts   []client.StartWorkflowOptions
	inputs   []workflows.ModifyVideoInput
	queries  []string
	cancels  []string
	asked    int
	startErr []error
	listErr  error
	pages    []int
	// down is what every request is answered with while it is set.
	down error
	// worker says that one polls.
	worker bool
	// untraceable says that the namespace has no search attributes, retention how
	// long it remembers closed jobs.
	untraceable bool
	retention   time.Duration
	// begins makes the run of a job that is started; without it starts are only
	// noted. Served counts those that have ended since.
	begins func(id string, input workflows.ModifyVideoInput)
	served int
	// version is its version, if it has one.
	version *deploymentpb.WorkerDeploymentOptions
}

func newTemporal(t *testing.T) *temporal {
	return &temporal{t: t, runs: map[string]*run{}, worker: true, retention: 30 * 24 * time.Hour}
}

// run is one run of a job.
type run struct {
	id, runID  string
	typeName   string
	taskQueue  string
	state      enumspb.WorkflowExecutionStatus
	started    time.Time
	closed     time.Time
	attributes map[string]string
	history    *history
	pending    []*workflowpb.PendingActivityInfo
	// answer is the job's to the status query; nil is a worker that is silent.
	answer func() (workflows.Status, error)
	// versioning is the version that the job stays with, if it does.
	versioning *workflowpb.WorkflowExecutionVersioningInfo
	// attempt is that of the workflow task in hand.
	attempt int32
	// update takes a decision; nil is a worker that is silent.
	update func(workflows.Resolution) (any, error)
	ended  chan struct{}
}

func (r *run) end(state enumspb.WorkflowExecutionStatus, after time.Duration) *run {
	r.state, r.closed = state, r.started.Add(after)
	select {
	case <-r.ended:
	default:
		close(r.ended)
	}
	return r
}

// says has the job answer the status query.
func (r *run) says(status workflows.Status) *run {
	r.answer = func() (workflows.Status, error) { return status, nil }
	return r
}

// job adds an open job that has asked for request.
func (f *temporal) job(id string) *run {
	added := &run{
		id: id, runID: "run-of-" + id, typeName: workflows.ModifyVideoName, taskQueue: "lumaflow",
		state:   enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING,
		started: time.Now(),
		history: newHistory(f.t, request),
		ended:   make(chan struct{}),
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.runs[id] = added
	return added
}

// do changes the jobs while they are being watched.
func (f *temporal) do(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *temporal) find(id string) (*run, error) {
	if f.down != nil {
		return nil, f.down
	}
	found, ok := f.runs[id]
	if !ok {
		return nil, serviceerror.NewNotFound("workflow not found for ID: " + id)
	}
	return found, nil
}

func (r *run) info() *workflowpb.WorkflowExecutionInfo {
	info := &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{WorkflowId: r.id, RunId: r.runID},
		Type:      &commonpb.WorkflowType{Name: r.typeName},
		TaskQueue: r.taskQueue,
		Status:    r.state,
		StartTime: timestamppb.New(r.started),

		VersioningInfo: r.versioning,
	}
	if !r.closed.IsZero() {
		info.CloseTime = timestamppb.New(r.closed)
	}
	if len(r.attributes) > 0 {
		info.SearchAttributes = &commonpb.SearchAttributes{IndexedFields: map[string]*commonpb.Payload{}}
		for name, value := range r.attributes {
			payload, err := converter.GetDefaultDataConverter().ToPayload(value)
			if err != nil {
				panic(err)
			}
			info.SearchAttributes.IndexedFields[name] = payload
		}
	}
	return info
}

func (f *temporal) DescribeWorkflow(_ context.Context, id, _ string) (*client.WorkflowExecutionDescription, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	found, err := f.find(id)
	if err != nil {
		return nil, err
	}
	return &client.WorkflowExecutionDescription{RawResponse: &workflowservice.DescribeWorkflowExecutionResponse{
		WorkflowExecutionInfo: found.info(), PendingActivities: found.pending,
		PendingWorkflowTask: &workflowpb.PendingWorkflowTaskInfo{Attempt: found.attempt},
	}}, nil
}

type startedRun struct {
	client.WorkflowRun
	runID string
}

func (r startedRun) GetRunID() string { return r.runID }

func (f *temporal) ExecuteWorkflow(_ context.Context, options client.StartWorkflowOptions, workflow any, args ...any) (client.WorkflowRun, error) {
	require.Equal(f.t, workflows.ModifyVideoName, workflow)
	require.Len(f.t, args, 1)
	f.mu.Lock()
	f.starts = append(f.starts, options)
	f.inputs = append(f.inputs, args[0].(workflows.ModifyVideoInput))
	runID := fmt.Sprintf("new-run-%d", len(f.starts))
	var err error
	if len(f.startErr) > 0 {
		err, f.startErr = f.startErr[0], f.startErr[1:]
	}
	f.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if f.begins != nil {
		f.begins(options.ID, args[0].(workflows.ModifyVideoInput))
	}
	return startedRun{runID: runID}, nil
}

func (f *temporal) QueryWorkflow(ctx context.Context, id, _, query string, _ ...any) (converter.EncodedValue, error) {
	require.Equal(f.t, workflows.StatusQuery, query)
	_, bounded := ctx.Deadline()
	require.True(f.t, bounded, "a query without a time limit")
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	found, err := f.find(id)
	if err != nil {
		return nil, err
	}
	if found.answer == nil {
		return nil, serviceerror.NewDeadlineExceeded("context deadline exceeded")
	}
	status, err := found.answer()
	if err != nil {
		return nil, err
	}
	payloads, err := converter.GetDefaultDataConverter().ToPayloads(status)
	return client.NewValue(payloads), err
}

func (f *temporal) CancelWorkflow(_ context.Context, id, runID string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.find(id); err != nil {
		return err
	}
	f.cancels = append(f.cancels, id+"/"+runID)
	return nil
}

func (f *temporal) UpdateWorkflow(ctx context.Context, options client.UpdateWorkflowOptions) (client.WorkflowUpdateHandle, error) {
	require.Equal(f.t, workflows.ResolveUpdate, options.UpdateName)
	f.mu.Lock()
	found, err := f.find(options.WorkflowID)
	f.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if found.update == nil {
		<-ctx.Done()
		return nil, client.NewWorkflowUpdateServiceTimeoutOrCanceledError(ctx.Err())
	}
	answer, err := found.update(options.Args[0].(workflows.Resolution))
	return outcome{answer: answer, err: err}, nil
}

type outcome struct {
	client.WorkflowUpdateHandle
	answer any
	err    error
}

func (o outcome) Get(_ context.Context, into any) error {
	if status, ok := o.answer.(workflows.Status); ok {
		*into.(*workflows.Status) = status
	}
	return o.err
}

func (f *temporal) GetWorkflowHistory(ctx context.Context, id, runID string, wait bool, filter enumspb.HistoryEventFilterType) client.HistoryEventIterator {
	return &events{fake: f, ctx: ctx, id: id, runID: runID, wait: wait, filter: filter}
}

// events pages through a history, the whole of it or its last event.
type events struct {
	fake   *temporal
	ctx    context.Context
	id     string
	runID  string
	wait   bool
	filter enumspb.HistoryEventFilterType

	loaded bool
	left   []*historypb.HistoryEvent
	err    error
}

func (e *events) load() {
	if e.loaded {
		return
	}
	e.loaded = true
	e.fake.mu.Lock()
	found, err := e.fake.find(e.id)
	if past := slices.IndexFunc(e.fake.past, func(r *run) bool { return r.id == e.id && r.runID == e.runID }); past >= 0 {
		found = e.fake.past[past]
	}
	e.fake.mu.Unlock()
	if err != nil {
		e.err = err
		return
	}
	if e.wait {
		select {
		case <-found.ended:
		case <-e.ctx.Done():
			e.err = e.ctx.Err()
			return
		}
	}
	e.fake.mu.Lock()
	defer e.fake.mu.Unlock()
	e.left = found.history.events
	if e.filter == enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT {
		e.left = e.left[len(e.left)-1:]
	}
}

func (e *events) HasNext() bool {
	e.load()
	return e.err != nil || len(e.left) > 0
}

func (e *events) Next() (*historypb.HistoryEvent, error) {
	if e.err != nil {
		err := e.err
		e.err = nil
		return nil, err
	}
	next := e.left[0]
	e.left = e.left[1:]
	return next, nil
}

// cutOff is a Temporal whose whole histories can't be read.
type cutOff struct{ *temporal }

func (c *cutOff) GetWorkflowHistory(ctx context.Context, id, runID string, wait bool, filter enumspb.HistoryEventFilterType) client.HistoryEventIterator {
	if filter == enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT {
		return &events{loaded: true, err: errCut}
	}
	return c.temporal.GetWorkflowHistory(ctx, id, runID, wait, filter)
}

// flaky is a Temporal whose long polls break off every minute, as they do when
// it restarts.
type flaky struct{ *temporal }

func (f *flaky) GetWorkflowHistory(ctx context.Context, id, runID string, wait bool, filter enumspb.HistoryEventFilterType) client.HistoryEventIterator {
	if !wait {
		return f.temporal.GetWorkflowHistory(ctx, id, runID, wait, filter)
	}
	polling, stop := context.WithTimeout(ctx, time.Minute)
	context.AfterFunc(polling, stop)
	return f.temporal.GetWorkflowHistory(polling, id, runID, wait, filter)
}

// forbidding is a Temporal that shows jobs but not their histories.
type forbidding struct{ *temporal }

func (f *forbidding) GetWorkflowHistory(context.Context, string, string, bool, enumspb.HistoryEventFilterType) client.HistoryEventIterator {
	return &events{loaded: true, err: serviceerror.NewPermissionDenied("not for you", "")}
}
