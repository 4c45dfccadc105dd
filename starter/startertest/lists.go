package starter_test

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	namespacepb "go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// ListWorkflow pages through the jobs in the order of their ids.
func (f *temporal) ListWorkflow(ctx context.Context, in *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queries = append(f.queries, in.GetQuery())
	f.pages = append(f.pages, int(in.GetPageSize()))
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if f.listErr != nil {
		return nil, f.listErr
	}
	if f.untraceable && strings.Contains(in.GetQuery(), "Luma") {
		return nil, serviceerror.NewInvalidArgument("invalid query: column name is not a valid search attribute")
	}
	runs := slices.Clone(f.past)
	for _, run := range f.runs {
		runs = append(runs, run)
	}
	place := func(r *run) string { return r.id + "/" + r.runID }
	runs = slices.DeleteFunc(runs, func(r *run) bool {
		return place(r) <= string(in.GetNextPageToken()) || !r.selected(in.GetQuery())
	})
	slices.SortFunc(runs, func(a, b *run) int { return strings.Compare(place(a), place(b)) })
	page := &workflowservice.ListWorkflowExecutionsResponse{}
	for _, run := range runs[:min(len(runs), int(in.GetPageSize()), 2)] {
		page.Executions = append(page.Executions, run.info())
		page.NextPageToken = []byte(place(run))
	}
	return page, nil
}

var (
	closedAfter = regexp.MustCompile(`CloseTime > '([^']+)'`)
	ofTask      = regexp.MustCompile(`LumaTaskId = '([^']+)'`)
)

// selected understands as much of Temporal's language as the starter speaks
// when it looks for jobs by how they are.
func (r *run) selected(query string) bool {
	open := r.state == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	switch {
	case strings.Contains(query, "ExecutionStatus = 'Running'") && !open,
		strings.Contains(query, "ExecutionStatus = 'Completed'") && r.state != statusCompleted,
		strings.Contains(query, "ExecutionStatus IN ('Failed'") && (open || r.state == statusCompleted):
		return false
	}
	if after := closedAfter.FindStringSubmatch(query); after != nil {
		limit, err := time.Parse(time.RFC3339, after[1])
		if err != nil || !r.closed.After(limit) {
			return false
		}
	}
	task := ofTask.FindStringSubmatch(query)
	return task == nil || r.attributes["LumaTaskId"] == task[1]
}

// WorkflowService answers for the namespace and its task queues.
func (f *temporal) WorkflowService() workflowservice.WorkflowServiceClient { return service{fake: f} }

type service struct {
	workflowservice.WorkflowServiceClient
	fake *temporal
}

func (s service) DescribeNamespace(context.Context, *workflowservice.DescribeNamespaceRequest, ...grpc.CallOption) (*workflowservice.DescribeNamespaceResponse, error) {
	if s.fake.down != nil {
		return nil, s.fake.down
	}
	return &workflowservice.DescribeNamespaceResponse{
		Config: &namespacepb.NamespaceConfig{WorkflowExecutionRetentionTtl: durationpb.New(s.fake.retention)},
	}, nil
}

func (s service) DescribeTaskQueue(_ context.Context, request *workflowservice.DescribeTaskQueueRequest, _ ...grpc.CallOption) (*workflowservice.DescribeTaskQueueResponse, error) {
	f := s.fake
	require.Equal(f.t, enumspb.TASK_QUEUE_TYPE_WORKFLOW, request.GetTaskQueueType())
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down != nil {
		return nil, f.down
	}
	// One that has gone stays on Temporal's list for a while.
	last := time.Now().Add(-4 * time.Minute)
	if f.worker {
		last = time.Now().Add(-30 * time.Second)
	}
	return &workflowservice.DescribeTaskQueueResponse{Pollers: []*taskqueuepb.PollerInfo{{
		LastAccessTime: timestamppb.New(last), DeploymentOptions: f.version,
	}}}, nil
}

// ListTaskQueuePartitions knows of the root alone.
func (s service) ListTaskQueuePartitions(_ context.Context, request *workflowservice.ListTaskQueuePartitionsRequest, _ ...grpc.CallOption) (*workflowservice.ListTaskQueuePartitionsResponse, error) {
	return &workflowservice.ListTaskQueuePartitionsResponse{
		WorkflowTaskQueuePartitions: []*taskqueuepb.TaskQueuePartitionMetadata{{Key: request.GetTaskQueue().GetName()}},
	}, nil
}
