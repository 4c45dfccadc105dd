package pollers_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	deploymentpb "go.temporal.io/api/deployment/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"lumaflow/internal/temporal/pollers"
)

// fakeService has a task queue with partitions. The root has the queue's name.
type fakeService struct {
	workflowservice.WorkflowServiceClient

	partitions []string
	polled     map[string][]*taskqueuepb.PollerInfo
	versions   *taskqueuepb.TaskQueueVersioningInfo
	listErr    error
	// failing has the errors of partitions; hanging is one that never answers.
	failing  map[string]error
	hanging  string
	requests []string
}

func (f *fakeService) DescribeTaskQueue(ctx context.Context, request *workflowservice.DescribeTaskQueueRequest, _ ...grpc.CallOption) (*workflowservice.DescribeTaskQueueResponse, error) {
	part := request.GetTaskQueue().GetName()
	f.requests = append(f.requests, request.GetNamespace()+" "+part+" "+request.GetTaskQueueType().String())
	if part == f.hanging {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return &workflowservice.DescribeTaskQueueResponse{Pollers: f.polled[part], VersioningInfo: f.versions}, f.failing[part]
}

func (f *fakeService) ListTaskQueuePartitions(_ context.Context, request *workflowservice.ListTaskQueuePartitionsRequest, _ ...grpc.CallOption) (*workflowservice.ListTaskQueuePartitionsResponse, error) {
	f.requests = append(f.requests, request.GetNamespace()+" list "+request.GetTaskQueue().GetName())
	if f.listErr != nil {
		return nil, f.listErr
	}
	listed := &workflowservice.ListTaskQueuePartitionsResponse{}
	for _, part := range f.partitions {
		listed.WorkflowTaskQueuePartitions = append(listed.WorkflowTaskQueuePartitions, &taskqueuepb.TaskQueuePartitionMetadata{Key: part})
	}
	listed.ActivityTaskQueuePartitions = listed.GetWorkflowTaskQueuePartitions()[:1]
	return listed, nil
}

func (f *fakeService) queue() pollers.Queue {
	return pollers.Queue{Service: f, Namespace: "studio", Name: "q", Type: enumspb.TASK_QUEUE_TYPE_WORKFLOW}
}

func newFakeService() *fakeService {
	return &fakeService{partitions: []string{"q", "/_sys/q/1", "/_sys/q/2"}, polled: map[string][]*taskqueuepb.PollerInfo{}, failing: map[string]error{}}
}

func poller(identity, build string, age time.Duration) *taskqueuepb.PollerInfo {
	return &taskqueuepb.PollerInfo{
		Identity: identity, LastAccessTime: timestamppb.New(time.Now().Add(-age)),
		DeploymentOptions: &deploymentpb.WorkerDeploymentOptions{DeploymentName: "lumaflow", BuildId: build},
	}
}

func me(poller *taskqueuepb.PollerInfo) bool { return poller.GetIdentity() == "me" }

func TestAny(t *testing.T) {
	const root, list, first, second = "studio q Workflow", "studio list q", "studio /_sys/q/1 Workflow", "studio /_sys/q/2 Workflow"
	tests := map[string]struct {
		given    func(*fakeService)
		found    bool
		want     string
		requests []string
	}{
		"in the root": {func(f *fakeService) {
			f.polled["q"] = append(f.polled["q"], poller("other", "", 0), poller("me", "", time.Minute))
		}, true, "", []string{root}},
		"in another partition": {func(f *fakeService) {
			f.polled["q"] = append(f.polled["q"], poller("other", "", 0))
			f.polled["/_sys/q/1"] = append(f.polled["/_sys/q/1"], poller("me", "", time.Minute))
		}, true, "", []string{root, list, first}},
		"died in one, lives in the next": {func(f *fakeService) {
			f.polled["q"] = append(f.polled["q"], poller("me", "", 2*time.Minute))
			f.polled["/_sys/q/2"] = append(f.polled["/_sys/q/2"], poller("me", "", time.Minute))
		}, true, "", []string{root, list, first, second}},
		"no poller":                 {func(*fakeService) {}, false, "", []string{root, list, first, second}},
		"died":                      {func(f *fakeService) { f.polled["q"] = append(f.polled["q"], poller("me", "", 91*time.Second)) }, false, "", []string{root, list, first, second}},
		"by a clock that is behind": {func(f *fakeService) { f.polled["q"] = append(f.polled["q"], poller("me", "", -time.Hour)) }, true, "", []string{root}},
		"by a clock that is ahead":  {func(f *fakeService) { f.polled["q"] = append(f.polled["q"], poller("me", "", time.Hour)) }, true, "", []string{root}},
		"the root is denied": {
			func(f *fakeService) { f.failing["q"] = serviceerror.NewPermissionDenied("denied", "") },
			false, "describe task queue q: denied", []string{root},
		},
		"a server without partitions": {func(f *fakeService) { f.listErr = serviceerror.NewUnimplemented("unknown method") }, false, "", []string{root, list}},
		"the list is denied":          {func(f *fakeService) { f.listErr = serviceerror.NewPermissionDenied("denied", "") }, false, "", []string{root, list}},
		"the list fails": {
			func(f *fakeService) { f.listErr = serviceerror.NewUnavailable("down") },
			false, "list the partitions of task queue q: down", []string{root, list},
		},
		"a partition is denied": {func(f *fakeService) { f.failing["/_sys/q/1"] = serviceerror.NewPermissionDenied("no", "") }, false, "", []string{root, list, first}},
		"a partition fails": {
			func(f *fakeService) { f.failing["/_sys/q/1"] = serviceerror.NewUnavailable("moving") },
			false, "describe task queue /_sys/q/1: moving", []string{root, list, first},
		},
		"a partition hangs": {func(f *fakeService) { f.hanging = "/_sys/q/2" }, false, "describe task queue /_sys/q/2: context deadline exceeded", []string{root, list, first, second}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := newFakeService()
				test.given(fake)
				began := time.Now()
				found, err := fake.queue().Any(t.Context(), me)
				assert.Equal(t, test.found, found)
				if test.want == "" {
					require.NoError(t, err)
				} else {
					require.EqualError(t, err, test.want)
				}
				assert.Equal(t, test.requests, fake.requests)
				assert.LessOrEqual(t, time.Since(began), 5*time.Second)
			})
		})
	}
}

// A worker in several partitions is listed once; the versions are the root's.
func TestDescribe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFakeService()
		fake.versions = &taskqueuepb.TaskQueueVersioningInfo{CurrentDeploymentVersion: &deploymentpb.WorkerDeploymentVersion{BuildId: "2"}}
		older, newer := poller("a", "1", time.Minute), poller("a", "1", time.Second)
		b, c := poller("b", "1", 0), poller("a", "2", 0)
		fake.polled = map[string][]*taskqueuepb.PollerInfo{"q": {older}, "/_sys/q/1": {b, newer}, "/_sys/q/2": {older, c}}
		merged, err := fake.queue().Describe(t.Context())
		require.NoError(t, err)
		assert.Equal(t, []*taskqueuepb.PollerInfo{newer, b, c}, merged.GetPollers())
		assert.Equal(t, fake.versions, merged.GetVersioningInfo())

		fake.listErr = serviceerror.NewUnimplemented("unknown method")
		merged, err = fake.queue().Describe(t.Context())
		require.NoError(t, err)
		assert.Equal(t, []*taskqueuepb.PollerInfo{older}, merged.GetPollers())

		fake.failing["q"] = serviceerror.NewUnavailable("down")
		_, err = fake.queue().Describe(t.Context())
		require.EqualError(t, err, "describe task queue q: down")
	})
}

// Activity tasks may have other partitions than workflow tasks.
func TestActivityPartitions(t *testing.T) {
	fake := newFakeService()
	queue := fake.queue()
	queue.Type = enumspb.TASK_QUEUE_TYPE_ACTIVITY
	found, err := queue.Any(t.Context(), me)
	require.NoError(t, err)
	assert.False(t, found)
	assert.Equal(t, []string{"studio q Activity", "studio list q"}, fake.requests)
}

func TestMaxPartitions(t *testing.T) {
	fake := newFakeService()
	for i := 3; i < 1000; i++ {
		fake.partitions = append(fake.partitions, fmt.Sprintf("/_sys/q/%d", i))
	}
	found, err := fake.queue().Any(t.Context(), me)
	require.NoError(t, err)
	assert.False(t, found)
	assert.Len(t, fake.requests, 65, "64 partitions and the list")
}
