// Package startertest fakes the part of Temporal that package starter calls, for
// the tests of the job client and of its commands.
package startertest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	deploymentpb "go.temporal.io/api/deployment/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/types/known/durationpb"

	"lumaflow/workflows"
	"lumaflow/workflows/batches"
)

// Temporal implements starter.Temporal with jobs that a test scripts.
type Temporal struct {
	t *testing.T

	mu   sync.Mutex
	Runs map[string]*Run
	// EarlierRuns are closed runs of ids that have another run in Runs.
	EarlierRuns []*Run
	// OnStart makes the run of a started job; if it is nil, starts are only
	// recorded.
	OnStart func(id string, input workflows.ModifyVideoInput)
	// OnBatch makes the run of a started batch; BatchInputs records the starts.
	OnBatch     func(id string, input batches.Input)
	BatchInputs []batches.Input

	// Starts and Inputs record the starts, Cancels and Terminations the canceled and
	// the terminated runs, Queries and PageSizes the list requests.
	Starts       []client.StartWorkflowOptions
	Inputs       []workflows.ModifyVideoInput
	Cancels      []*workflowservice.RequestCancelWorkflowExecutionRequest
	Terminations []string
	Queries      []string
	PageSizes    []int
	// StatusQueries counts the queries, Completed the jobs that CompleteAfter has
	// completed.
	StatusQueries, Completed int

	// Down is the error of all requests, ListError that of lists, StartErrors
	// those of the next starts.
	Down, ListError error
	StartErrors     []error
	// HasWorker means that a worker of WorkerVersion polls, which may be nil.
	HasWorker     bool
	WorkerVersion *deploymentpb.WorkerDeploymentOptions
	// NoSearchAttributes means that the namespace lacks lumaflow's. Retention is
	// the namespace's, 30 days by default.
	NoSearchAttributes bool
	Retention          time.Duration
}

// New returns a fake without jobs, with a worker that polls.
func New(t *testing.T) *Temporal {
	return &Temporal{t: t, Runs: map[string]*Run{}, HasWorker: true, Retention: 30 * 24 * time.Hour}
}

// Job adds an open job with Request as its input.
func (f *Temporal) Job(id string) *Run { return f.add(id, workflows.ModifyVideoName, Request) }

// Batch adds an open batch.
func (f *Temporal) Batch(id string, input batches.Input) *Run {
	return f.add(id, batches.ModifyVideosName, input)
}

func (f *Temporal) add(id, workflow string, input any) *Run {
	added := &Run{
		ID: id, RunID: "run-of-" + id, Type: workflow, TaskQueue: "lumaflow",
		Status:  enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING,
		Started: time.Now(),
		History: NewHistory(f.t, input),
		ended:   make(chan struct{}),
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Runs[id] = added
	return added
}

// Do changes the fake while the code under test reads it.
func (f *Temporal) Do(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *Temporal) find(id string) (*Run, error) {
	if f.Down != nil {
		return nil, f.Down
	}
	found, ok := f.Runs[id]
	if !ok {
		return nil, serviceerror.NewNotFound("workflow not found for ID: " + id)
	}
	return found, nil
}

// earlier returns one of EarlierRuns; nil if there is none.
func (f *Temporal) earlier(id, runID string) *Run {
	i := slices.IndexFunc(f.EarlierRuns, func(r *Run) bool { return r.ID == id && r.RunID == runID })
	if i < 0 {
		return nil
	}
	return f.EarlierRuns[i]
}

// DescribeWorkflow describes the run in EarlierRuns with the run id, or else the one
// in Runs.
func (f *Temporal) DescribeWorkflow(_ context.Context, id, runID string) (*client.WorkflowExecutionDescription, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	found, err := f.find(id)
	if earlier := f.earlier(id, runID); earlier != nil {
		found, err = earlier, nil
	}
	if err != nil {
		return nil, err
	}
	return &client.WorkflowExecutionDescription{RawResponse: &workflowservice.DescribeWorkflowExecutionResponse{
		WorkflowExecutionInfo: found.info(), PendingActivities: found.Pending,
		ExecutionConfig: &workflowpb.WorkflowExecutionConfig{
			WorkflowRunTimeout: durationpb.New(found.RunTimeout), WorkflowExecutionTimeout: durationpb.New(found.ExecutionTimeout),
		},
		PendingWorkflowTask: &workflowpb.PendingWorkflowTaskInfo{Attempt: found.WorkflowTaskAttempt},
	}}, nil
}

type startedRun struct {
	client.WorkflowRun
	runID string
}

func (r startedRun) GetRunID() string { return r.runID }

// ExecuteWorkflow records a start and calls OnStart.
func (f *Temporal) ExecuteWorkflow(_ context.Context, options client.StartWorkflowOptions, workflow any, args ...any) (client.WorkflowRun, error) {
	require.Len(f.t, args, 1)
	f.mu.Lock()
	f.Starts = append(f.Starts, options)
	job, isJob := args[0].(workflows.ModifyVideoInput)
	batch, _ := args[0].(batches.Input)
	if isJob {
		require.Equal(f.t, workflows.ModifyVideoName, workflow)
		f.Inputs = append(f.Inputs, job)
	} else {
		require.Equal(f.t, batches.ModifyVideosName, workflow)
		f.BatchInputs = append(f.BatchInputs, batch)
	}
	runID := fmt.Sprintf("new-run-%d", len(f.Starts))
	var err error
	if len(f.StartErrors) > 0 {
		err, f.StartErrors = f.StartErrors[0], f.StartErrors[1:]
	}
	f.mu.Unlock()
	if err != nil {
		return nil, err
	}
	switch {
	case isJob && f.OnStart != nil:
		f.OnStart(options.ID, job)
	case !isJob && f.OnBatch != nil:
		f.OnBatch(options.ID, batch)
	}
	return startedRun{runID: runID}, nil
}

// QueryWorkflow returns the answer of a run.
func (f *Temporal) QueryWorkflow(ctx context.Context, id, _, query string, _ ...any) (converter.EncodedValue, error) {
	_, bounded := ctx.Deadline()
	require.True(f.t, bounded, "a query without a time limit")
	f.mu.Lock()
	defer f.mu.Unlock()
	f.StatusQueries++
	found, err := f.find(id)
	if err != nil {
		return nil, err
	}
	var status any
	switch {
	case found.Type == workflows.ModifyVideoName && found.Answer != nil:
		require.Equal(f.t, workflows.StatusQuery, query)
		status, err = found.Answer()
	case found.Type == batches.ModifyVideosName && found.Progress != nil:
		require.Equal(f.t, batches.ProgressQuery, query)
		status, err = found.Progress()
	default:
		return nil, serviceerror.NewDeadlineExceeded("context deadline exceeded")
	}
	if err != nil {
		return nil, err
	}
	payloads, err := converter.GetDefaultDataConverter().ToPayloads(status)
	return client.NewValue(payloads), err
}

// TerminateWorkflow terminates a run.
func (f *Temporal) TerminateWorkflow(_ context.Context, id, runID, reason string, _ ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	found, err := f.find(id)
	if err != nil {
		return err
	}
	require.NotEmpty(f.t, reason)
	require.Equal(f.t, found.RunID, runID)
	if found.Status != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return serviceerror.NewNotFound("workflow execution already completed")
	}
	f.Terminations = append(f.Terminations, id+"/"+runID)
	found.End(enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, time.Since(found.Started))
	return nil
}

// UpdateWorkflow calls Update of a run.
func (f *Temporal) UpdateWorkflow(ctx context.Context, options client.UpdateWorkflowOptions) (client.WorkflowUpdateHandle, error) {
	f.mu.Lock()
	found, err := f.find(options.WorkflowID)
	f.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if found.Type == batches.ModifyVideosName && found.BatchUpdate != nil {
		progress, err := found.BatchUpdate(options.UpdateName, options.Args...)
		return updateHandle{answer: progress, err: err}, nil
	}
	if found.Update == nil {
		<-ctx.Done()
		return nil, client.NewWorkflowUpdateServiceTimeoutOrCanceledError(ctx.Err())
	}
	require.Equal(f.t, workflows.ResolveUpdate, options.UpdateName)
	answer, err := found.Update(options.Args[0].(workflows.Resolution))
	return updateHandle{answer: answer, err: err}, nil
}

type updateHandle struct {
	client.WorkflowUpdateHandle
	answer any
	err    error
}

func (h updateHandle) Get(_ context.Context, into any) error {
	switch answer := h.answer.(type) {
	case workflows.Status:
		*into.(*workflows.Status) = answer
	case batches.Progress:
		*into.(*batches.Progress) = answer
	}
	return h.err
}

// GetWorkflowHistory returns the history of a run, or its last event.
func (f *Temporal) GetWorkflowHistory(ctx context.Context, id, runID string, wait bool, filter enumspb.HistoryEventFilterType) client.HistoryEventIterator {
	return &iterator{fake: f, ctx: ctx, id: id, runID: runID, wait: wait, filter: filter}
}

// BrokenHistory is a history that can't be read.
func BrokenHistory(err error) client.HistoryEventIterator { return &iterator{loaded: true, err: err} }

// iterator pages through a history: the whole, or its last event.
type iterator struct {
	fake   *Temporal
	ctx    context.Context
	id     string
	runID  string
	wait   bool
	filter enumspb.HistoryEventFilterType

	loaded bool
	left   []*historypb.HistoryEvent
	err    error
}

func (i *iterator) load() {
	if i.loaded {
		return
	}
	i.loaded = true
	i.fake.mu.Lock()
	found, err := i.fake.find(i.id)
	if earlier := i.fake.earlier(i.id, i.runID); earlier != nil {
		found, err = earlier, nil
	}
	i.fake.mu.Unlock()
	if err != nil {
		i.err = err
		return
	}
	if i.wait {
		select {
		case <-found.ended:
		case <-i.ctx.Done():
			i.err = i.ctx.Err()
			return
		}
	}
	i.fake.mu.Lock()
	defer i.fake.mu.Unlock()
	i.left = found.History.Events
	if i.filter == enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT {
		i.left = i.left[len(i.left)-1:]
	}
}

func (i *iterator) HasNext() bool {
	i.load()
	return i.err != nil || len(i.left) > 0
}

func (i *iterator) Next() (*historypb.HistoryEvent, error) {
	if i.err != nil {
		err := i.err
		i.err = nil
		return nil, err
	}
	next := i.left[0]
	i.left = i.left[1:]
	return next, nil
}
