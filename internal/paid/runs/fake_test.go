package runs_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/types/known/timestamppb"

	"lumaflow/internal/paid"
	"lumaflow/internal/paid/runs"
)

var (
	data = converter.GetDefaultDataConverter()
	noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
)

// server is a Temporal with scripted runs.
type server struct {
	runs []*run
	// unlisted are runs that visibility lacks, deleted those that it lists still.
	unlisted, deleted []string
	// noAttributes means that the namespace lacks the search attribute of tasks.
	noAttributes bool
	histories    int
}

type run struct {
	id, runID string
	info      *workflowpb.WorkflowExecutionInfo
	events    []*historypb.HistoryEvent
}

// add adds a run that started after a number of hours, as the first of its chain.
func (s *server) add(id, runID string, hours int, status enumspb.WorkflowExecutionStatus, events ...*historypb.HistoryEvent) *run {
	added := &run{id: id, runID: runID, events: events, info: &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{WorkflowId: id, RunId: runID},
		Status:    status, FirstRunId: runID,
		StartTime: timestamppb.New(noon.Add(time.Duration(hours) * time.Hour)),
	}}
	s.runs = append(s.runs, added)
	return added
}

// remember sets the memo.
func (r *run) remember(facts paid.Facts) *run {
	payload, err := data.ToPayload(facts)
	if err != nil {
		panic(err)
	}
	r.info.Memo = &commonpb.Memo{Fields: map[string]*commonpb.Payload{paid.MemoKey: payload}}
	return r
}

func (s *server) reader() runs.Reader { return runs.Reader{Server: s, Data: data} }

func (s *server) find(id, runID string) (*run, error) {
	// Without a run id it is the latest.
	for _, r := range slices.Backward(s.runs) {
		if r.id == id && (runID == "" || r.runID == runID) && !slices.Contains(s.deleted, r.runID) {
			return r, nil
		}
	}
	return nil, serviceerror.NewNotFound("no such run")
}

func (s *server) DescribeWorkflow(_ context.Context, id, runID string) (*client.WorkflowExecutionDescription, error) {
	found, err := s.find(id, runID)
	if err != nil {
		return nil, err
	}
	return &client.WorkflowExecutionDescription{RawResponse: &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: found.info}}, nil
}

// ListWorkflow lists one run a page. Lists lack the chain.
func (s *server) ListWorkflow(_ context.Context, request *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	if strings.Contains(request.GetQuery(), "LumaTaskId") {
		if s.noAttributes {
			return nil, serviceerror.NewInvalidArgument("LumaTaskId is not a valid search attribute")
		}
		return s.listTask(request.GetQuery())
	}
	page := &workflowservice.ListWorkflowExecutionsResponse{}
	for i, r := range s.runs {
		if string(request.GetNextPageToken()) > fmt.Sprintf("%03d", i) || slices.Contains(s.unlisted, r.runID) || !strings.Contains(request.GetQuery(), "'"+r.id+"'") {
			continue
		}
		listed := &workflowpb.WorkflowExecutionInfo{
			Execution: r.info.GetExecution(), Status: r.info.GetStatus(), StartTime: r.info.GetStartTime(), Memo: r.info.GetMemo(),
		}
		page.Executions, page.NextPageToken = append(page.Executions, listed), fmt.Appendf(nil, "%03d", i+1)
		break
	}
	return page, nil
}

// listTask lists the completed jobs whose id names the task.
func (s *server) listTask(query string) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	page := &workflowservice.ListWorkflowExecutionsResponse{}
	for _, r := range s.runs {
		if task, ok := strings.CutPrefix(r.id, "job of "); ok && strings.Contains(query, "'"+task+"'") && r.info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED {
			page.Executions = append(page.Executions, r.info)
		}
	}
	return page, nil
}

func (s *server) GetWorkflowHistory(_ context.Context, id, runID string, _ bool, filter enumspb.HistoryEventFilterType) client.HistoryEventIterator {
	found, err := s.find(id, runID)
	if err != nil {
		return &iterator{err: err}
	}
	if filter == enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT {
		return &iterator{events: found.events[len(found.events)-1:]}
	}
	s.histories++
	return &iterator{events: found.events}
}

type iterator struct {
	events []*historypb.HistoryEvent
	err    error
}

func (i *iterator) HasNext() bool { return i.err != nil || len(i.events) > 0 }

func (i *iterator) Next() (*historypb.HistoryEvent, error) {
	if i.err != nil {
		return nil, i.err
	}
	next := i.events[0]
	i.events = i.events[1:]
	return next, nil
}
