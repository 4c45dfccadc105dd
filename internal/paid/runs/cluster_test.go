package runs_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
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
	"google.golang.org/protobuf/types/known/timestamppb"

	"lumaflow/internal/paid"
	"lumaflow/internal/paid/runs"
	"lumaflow/internal/temporal/visibility"
	"lumaflow/test/historyfile"
)

const (
	paused    = enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED
	cancelled = enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED
	timedOut  = enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT
)

// clusterRun is a run of a job. Its task is listed by visibility.
type clusterRun struct {
	info   *workflowpb.WorkflowExecutionInfo
	events []*historypb.HistoryEvent
	task   string
}

// memo sets the facts in the memo.
func (r *clusterRun) memo(facts paid.Facts) {
	payload, err := data.ToPayload(facts)
	if err != nil {
		panic(err)
	}
	r.info.Memo = &commonpb.Memo{Fields: map[string]*commonpb.Payload{paid.MemoKey: payload}}
}

// cluster is a Temporal server. It applies the id policies of starts.
type cluster struct {
	mu sync.Mutex
	// runs are the runs of each id, the oldest first.
	runs map[string][]*clusterRun
	// starts are the accepted starts, terminations the reasons by id.
	starts       []client.StartWorkflowOptions
	terminations map[string]string
	// errors are the errors of the next calls of a method. A nil one lets a call
	// pass.
	errors map[string][]error
	lists  int
	// hangs means that lists answer only at the end of their context.
	hangs bool
}

func newCluster() *cluster {
	return &cluster{runs: map[string][]*clusterRun{}, terminations: map[string]string{}, errors: map[string][]error{}}
}

func (s *cluster) collector() runs.Collector {
	return runs.Collector{Starter: s, Reader: runs.Reader{Server: s, Data: data}, TaskQueue: "default-queue"}
}

// add adds a run, whose last event has the payloads of its end.
func (s *cluster) add(id string, status enumspb.WorkflowExecutionStatus, end ...any) *clusterRun {
	var payloads *commonpb.Payloads
	if len(end) > 0 {
		var err error
		if payloads, err = data.ToPayloads(end...); err != nil {
			panic(err)
		}
	}
	event := &historypb.HistoryEvent{}
	switch status {
	case completed:
		event.Attributes = &historypb.HistoryEvent_WorkflowExecutionCompletedEventAttributes{
			WorkflowExecutionCompletedEventAttributes: &historypb.WorkflowExecutionCompletedEventAttributes{Result: payloads}}
	case cancelled:
		event.Attributes = &historypb.HistoryEvent_WorkflowExecutionCanceledEventAttributes{
			WorkflowExecutionCanceledEventAttributes: &historypb.WorkflowExecutionCanceledEventAttributes{Details: payloads}}
	case failed:
		event.Attributes = &historypb.HistoryEvent_WorkflowExecutionFailedEventAttributes{
			WorkflowExecutionFailedEventAttributes: &historypb.WorkflowExecutionFailedEventAttributes{Failure: &failurepb.Failure{
				FailureInfo: &failurepb.Failure_ApplicationFailureInfo{ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{Details: payloads}}}}}
	}
	return s.addRun(id, status, []*historypb.HistoryEvent{event})
}

// addRecorded adds a run of job with a recorded history of lumaflow v0.1.
func (s *cluster) addRecorded(t *testing.T, status enumspb.WorkflowExecutionStatus, name string) {
	t.Helper()
	history, err := historyfile.Read(filepath.Join("../../../workflows/testdata/histories", name+".json"))
	require.NoError(t, err)
	s.addRun(job, status, history.GetEvents())
}

func (s *cluster) addRun(id string, status enumspb.WorkflowExecutionStatus, events []*historypb.HistoryEvent) *clusterRun {
	now := timestamppb.New(time.Now().Add(time.Duration(len(s.runs[id])) * time.Second))
	added := &clusterRun{events: events, info: &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{WorkflowId: id, RunId: fmt.Sprintf("%s-%d", id, len(s.runs[id]))},
		Status:    status, TaskQueue: "queue-of-" + id, StartTime: now, ExecutionTime: now,
	}}
	s.runs[id] = append(s.runs[id], added)
	return added
}

// latest is the latest run of an id; nil if there is none.
func (s *cluster) latest(id string) *clusterRun {
	if all := s.runs[id]; len(all) > 0 {
		return all[len(all)-1]
	}
	return nil
}

// fail returns the error of a call.
func (s *cluster) fail(method string) error {
	if pending := s.errors[method]; len(pending) > 0 {
		s.errors[method] = pending[1:]
		return pending[0]
	}
	return nil
}

func (s *cluster) find(id, runID string) (*clusterRun, error) {
	for _, found := range slices.Backward(s.runs[id]) {
		if runID == "" || found.info.GetExecution().GetRunId() == runID {
			return found, nil
		}
	}
	return nil, serviceerror.NewNotFound("workflow not found for id " + id)
}

func (s *cluster) DescribeWorkflow(_ context.Context, id, runID string) (*client.WorkflowExecutionDescription, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fail("describe"); err != nil {
		return nil, err
	}
	found, err := s.find(id, runID)
	if err != nil {
		return nil, err
	}
	return &client.WorkflowExecutionDescription{RawResponse: &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: found.info}}, nil
}

func (s *cluster) GetWorkflowHistory(_ context.Context, id, runID string, _ bool, filter enumspb.HistoryEventFilterType) client.HistoryEventIterator {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fail("history"); err != nil {
		return &iterator{err: err}
	}
	found, err := s.find(id, runID)
	if err != nil {
		return &iterator{err: err}
	}
	events := found.events
	if filter == enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT {
		events = events[len(events)-1:]
	}
	return &iterator{events: events}
}

func (s *cluster) ListWorkflow(ctx context.Context, request *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lists++
	if s.hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if err := s.fail("list"); err != nil {
		return nil, err
	}
	var page workflowservice.ListWorkflowExecutionsResponse
	for id, all := range s.runs {
		for _, listed := range slices.Backward(all) {
			if strings.Contains(request.GetQuery(), visibility.Equals("WorkflowId", id)) || strings.Contains(request.GetQuery(), visibility.Equals("LumaTaskId", listed.task)) {
				page.Executions = append(page.Executions, listed.info)
			}
		}
	}
	return &page, nil
}

// startedJob is the answer to a start.
type startedJob struct {
	client.WorkflowRun
	id, runID string
}

func (s startedJob) GetID() string    { return s.id }
func (s startedJob) GetRunID() string { return s.runID }

func (s *cluster) ExecuteWorkflow(_ context.Context, options client.StartWorkflowOptions, _ any, args ...any) (client.WorkflowRun, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fail("start"); err != nil {
		return nil, err
	}
	if latest := s.latest(options.ID); latest != nil {
		open := latest.info.GetStatus() == running
		switch {
		case open && options.WorkflowIDConflictPolicy == enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING:
			return startedJob{id: options.ID, runID: latest.info.GetExecution().GetRunId()}, nil
		case open, options.WorkflowIDReusePolicy == enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
			latest.info.GetStatus() == completed:
			return nil, fmt.Errorf("start: %w", serviceerror.NewWorkflowExecutionAlreadyStarted("already started", "request", latest.info.GetExecution().GetRunId()))
		}
	}
	s.starts = append(s.starts, options)
	added := s.addRun(options.ID, running, nil)
	added.info.TaskQueue = options.TaskQueue
	added.info.ExecutionTime = timestamppb.New(added.info.GetStartTime().AsTime().Add(options.StartDelay))
	if facts, ok := options.Memo[paid.MemoKey].(paid.Facts); ok {
		added.memo(facts)
	}
	return startedJob{id: options.ID, runID: added.info.GetExecution().GetRunId()}, nil
}

func (s *cluster) TerminateWorkflow(_ context.Context, id, runID, reason string, _ ...any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fail("terminate"); err != nil {
		return err
	}
	found, err := s.find(id, runID)
	if err != nil || found.info.GetStatus() != running {
		return serviceerror.NewNotFound("workflow execution already completed")
	}
	found.info.Status = terminated
	s.terminations[id] = strings.TrimSpace(reason)
	return nil
}
