package startertest

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	namespacepb "go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// ListWorkflow pages through the jobs in the order of their ids.
func (f *Temporal) ListWorkflow(ctx context.Context, in *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Queries = append(f.Queries, in.GetQuery())
	f.PageSizes = append(f.PageSizes, int(in.GetPageSize()))
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if f.ListError != nil {
		return nil, f.ListError
	}
	if f.NoSearchAttributes && strings.Contains(in.GetQuery(), "Luma") {
		return nil, serviceerror.NewInvalidArgument("invalid query: column name is not a valid search attribute")
	}
	runs := slices.Clone(f.EarlierRuns)
	if jobs := ofJob.FindAllStringSubmatch(in.GetQuery(), -1); jobs != nil {
		for _, job := range jobs {
			if f.Runs[job[1]] != nil {
				runs = append(runs, f.Runs[job[1]])
			}
		}
	} else {
		runs = slices.AppendSeq(runs, maps.Values(f.Runs))
	}
	key := func(r *Run) string { return r.ID + "/" + r.RunID }
	runs = slices.DeleteFunc(runs, func(r *Run) bool {
		return key(r) <= string(in.GetNextPageToken()) || !r.selected(in.GetQuery())
	})
	slices.SortFunc(runs, func(a, b *Run) int { return strings.Compare(key(a), key(b)) })
	page := &workflowservice.ListWorkflowExecutionsResponse{}
	size := 2
	if in.GetPageSize() > 0 {
		size = min(size, int(in.GetPageSize()))
	}
	for _, run := range runs[:min(len(runs), size)] {
		page.Executions = append(page.Executions, run.info())
		page.NextPageToken = []byte(key(run))
	}
	return page, nil
}

// CountWorkflow counts the runs that a list would have.
func (f *Temporal) CountWorkflow(_ context.Context, in *workflowservice.CountWorkflowExecutionsRequest) (*workflowservice.CountWorkflowExecutionsResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	counted := &workflowservice.CountWorkflowExecutionsResponse{}
	for _, run := range f.Runs {
		if run.selected(in.GetQuery()) {
			counted.Count++
		}
	}
	return counted, f.ListError
}

var (
	closedAfter = regexp.MustCompile(`CloseTime > '([^']+)'`)
	ofJob       = regexp.MustCompile(`\bWorkflowId = '([^']+)'`)
	ofJobs      = regexp.MustCompile(`\bWorkflowId IN \(([^)]+)\)`)
	ofParent    = regexp.MustCompile(`ParentWorkflowId = '([^']+)'`)
	ofTask      = regexp.MustCompile(`LumaTaskId = '([^']+)'`)
)

// selected evaluates the conditions that the job client uses in list queries.
func (r *Run) selected(query string) bool {
	open := r.Status == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	switch {
	case strings.Contains(query, "ExecutionStatus = 'Running'") && !open,
		strings.Contains(query, "ExecutionStatus = 'Completed'") && r.Status != enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED,
		strings.Contains(query, "ExecutionStatus IN ('Failed'") && (open || r.Status == enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED):
		return false
	}
	if after := closedAfter.FindStringSubmatch(query); after != nil {
		limit, err := time.Parse(time.RFC3339, after[1])
		if err != nil || !r.Closed.After(limit) {
			return false
		}
	}
	if job := ofJob.FindStringSubmatch(query); job != nil && r.ID != job[1] {
		return false
	}
	if jobs := ofJobs.FindStringSubmatch(query); jobs != nil && !slices.Contains(strings.Split(jobs[1], ", "), "'"+r.ID+"'") {
		return false
	}
	if parent := ofParent.FindStringSubmatch(query); parent != nil && r.Parent != parent[1] {
		return false
	}
	task := ofTask.FindStringSubmatch(query)
	return task == nil || r.Attributes["LumaTaskId"] == task[1]
}

// WorkflowService serves the namespace and its task queues.
func (f *Temporal) WorkflowService() workflowservice.WorkflowServiceClient { return service{fake: f} }

// service leaves the methods nil that package starter does not call.
type service struct {
	workflowservice.WorkflowServiceClient
	fake *Temporal
}

func (s service) DescribeNamespace(context.Context, *workflowservice.DescribeNamespaceRequest, ...grpc.CallOption) (*workflowservice.DescribeNamespaceResponse, error) {
	if s.fake.Down != nil {
		return nil, s.fake.Down
	}
	return &workflowservice.DescribeNamespaceResponse{
		Config: &namespacepb.NamespaceConfig{WorkflowExecutionRetentionTtl: durationpb.New(s.fake.Retention)},
	}, nil
}

func (s service) DescribeTaskQueue(_ context.Context, request *workflowservice.DescribeTaskQueueRequest, _ ...grpc.CallOption) (*workflowservice.DescribeTaskQueueResponse, error) {
	f := s.fake
	require.Equal(f.t, enumspb.TASK_QUEUE_TYPE_WORKFLOW, request.GetTaskQueueType())
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.Down != nil {
		return nil, f.Down
	}
	// Temporal lists a poller for five minutes after its last poll.
	last := time.Now().Add(-4 * time.Minute)
	if f.HasWorker {
		last = time.Now().Add(-30 * time.Second)
	}
	return &workflowservice.DescribeTaskQueueResponse{Pollers: []*taskqueuepb.PollerInfo{{
		LastAccessTime: timestamppb.New(last), DeploymentOptions: f.WorkerVersion,
	}}}, nil
}

// ListTaskQueuePartitions returns the root partition alone.
func (s service) ListTaskQueuePartitions(_ context.Context, request *workflowservice.ListTaskQueuePartitionsRequest, _ ...grpc.CallOption) (*workflowservice.ListTaskQueuePartitionsResponse, error) {
	return &workflowservice.ListTaskQueuePartitionsResponse{
		WorkflowTaskQueuePartitions: []*taskqueuepb.TaskQueuePartitionMetadata{{Key: request.GetTaskQueue().GetName()}},
	}, nil
}

// RequestCancelWorkflowExecution records a cancellation, which a test carries out.
func (s service) RequestCancelWorkflowExecution(_ context.Context, request *workflowservice.RequestCancelWorkflowExecutionRequest, _ ...grpc.CallOption) (*workflowservice.RequestCancelWorkflowExecutionResponse, error) {
	s.fake.mu.Lock()
	defer s.fake.mu.Unlock()
	run, err := s.fake.find(request.GetWorkflowExecution().GetWorkflowId())
	if err != nil {
		return nil, err
	}
	s.fake.Cancels = append(s.fake.Cancels, request)
	run.History.Add(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED, &historypb.WorkflowExecutionCancelRequestedEventAttributes{
		Cause: request.GetReason(), Identity: request.GetIdentity(),
	})
	run.History.Events[len(run.History.Events)-1].EventTime = timestamppb.Now()
	return &workflowservice.RequestCancelWorkflowExecutionResponse{}, nil
}
