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

// temporal keeps a task queue in partitions. The root is named like the queue.
type temporal struct {
	workflowservice.WorkflowServiceClient

	parts    []string
	polled   map[string][]*taskqueuepb.PollerInfo
	versions *taskqueuepb.TaskQueueVersioningInfo
	listing  error
	// failing is what is said of a partition instead, hanging one that never answers.
	failing map[string]error
	hanging string
	asked   []string
}

func (f *temporal) DescribeTaskQueue(ctx context.Context, request *workflowservice.DescribeTaskQueueRequest, _ ...grpc.CallOption) (*workflowservice.DescribeTaskQueueResponse, error) {
	part := request.GetTaskQueue().GetName()
	f.asked = append(f.asked, request.GetNamespace()+" "+part+" "+request.GetTaskQueueType().String())
	if part == f.hanging {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return &workflowservice.DescribeTaskQueueResponse{Pollers: f.polled[part], VersioningInfo: f.versions}, f.failing[part]
}

func (f *temporal) ListTaskQueuePartitions(_ context.Context, request *workflowservice.ListTaskQueuePartitionsRequest, _ ...grpc.CallOption) (*workflowservice.ListTaskQueuePartitionsResponse, error) {
	f.asked = append(f.asked, request.GetNamespace()+" list "+request.GetTaskQueue().GetName())
	if f.listing != nil {
		return nil, f.listing
	}
	listed := &workflowservice.ListTaskQueuePartitionsResponse{}
	for _, part := range f.parts {
		listed.WorkflowTaskQueuePartitions = append(listed.WorkflowTaskQueuePartitions, &taskqueuepb.TaskQueuePartitionMetadata{Key: part})
	}
	listed.ActivityTaskQueuePartitions = listed.GetWorkflowTaskQueuePartitions()[:1]
	return listed, nil
}

func (f *temporal) queue() pollers.Queue {
	return pollers.Queue{Service: f, Namespace: "studio", Name: "q", Type: enumspb.TASK_QUEUE_TYPE_WORKFLOW}
}

func newTemporal() *temporal {
	return &temporal{parts: []string{"q", "/_sys/q/1", "/_sys/q/2"}, polled: map[string][]*taskqueuepb.PollerInfo{}, failing: map[string]error{}}
}

func poller(identity, build string, silent time.Duration) *taskqueuepb.PollerInfo {
	return &taskqueuepb.PollerInfo{
		Identity: identity, LastAccessTime: timestamppb.New(time.Now().Add(-silent)),
		DeploymentOptions: &deploymentpb.WorkerDeploymentOptions{DeploymentName: "lumaflow", BuildId: build},
	}
}

func me(poller *taskqueuepb.PollerInfo) bool { return poller.GetIdentity() == "me" }

func TestAny(t *testing.T) {
	const root, list, first, second = "studio q Workflow", "studio list q", "studio /_sys/q/1 Workflow", "studio /_sys/q/2 Workflow"
	tests := map[string]struct {
		given func(*temporal)
		found bool
		says  string
		asked []string
	}{
		"in the root": {func(f *temporal) {
			f.polled["q"] = append(f.polled["q"], poller("other", "", 0), poller("me", "", time.Minute))
		}, true, "", []string{root}},
		"in another partition": {func(f *temporal) {
			f.polled["q"] = append(f.polled["q"], poller("other", "", 0))
			f.polled["/_sys/q/1"] = append(f.polled["/_sys/q/1"], poller("me", "", time.Minute))
		}, true, "", []string{root, list, first}},
		"died in one, lives in the next": {func(f *temporal) {
			f.polled["q"] = append(f.polled["q"], poller("me", "", 2*time.Minute))
			f.polled["/_sys/q/2"] = append(f.polled["/_sys/q/2"], poller("me", "", time.Minute))
		}, true, "", []string{root, list, first, second}},
		"nobody":                    {func(*temporal) {}, false, "", []string{root, list, first, second}},
		"died":                      {func(f *temporal) { f.polled["q"] = append(f.polled["q"], poller("me", "", 91*time.Second)) }, false, "", []string{root, list, first, second}},
		"by a clock that is behind": {func(f *temporal) { f.polled["q"] = append(f.polled["q"], poller("me", "", -time.Hour)) }, true, "", []string{root}},
		"by a clock that is ahead":  {func(f *temporal) { f.polled["q"] = append(f.polled["q"], poller("me", "", time.Hour)) }, true, "", []string{root}},
		"the root can't be asked": {
			func(f *temporal) { f.failing["q"] = serviceerror.NewPermissionDenied("not for you", "") },
			false, "describe task queue q: not for you", []string{root},
		},
		"a server without partitions": {func(f *temporal) { f.listing = serviceerror.NewUnimplemented("unknown method") }, false, "", []string{root, list}},
		"partitions are not told":     {func(f *temporal) { f.listing = serviceerror.NewPermissionDenied("not for you", "") }, false, "", []string{root, list}},
		"the list fails": {
			func(f *temporal) { f.listing = serviceerror.NewUnavailable("down") },
			false, "list the partitions of task queue q: down", []string{root, list},
		},
		"a partition is not told": {func(f *temporal) { f.failing["/_sys/q/1"] = serviceerror.NewPermissionDenied("no", "") }, false, "", []string{root, list, first}},
		"a partition fails": {
			func(f *temporal) { f.failing["/_sys/q/1"] = serviceerror.NewUnavailable("moving") },
			false, "describe task queue /_sys/q/1: moving", []string{root, list, first},
		},
		"a partition hangs": {func(f *temporal) { f.hanging = "/_sys/q/2" }, false, "describe task queue /_sys/q/2: context deadline exceeded", []string{root, list, first, second}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := newTemporal()
				test.given(fake)
				began := time.Now()
				found, err := fake.queue().Any(t.Context(), me)
				assert.Equal(t, test.found, found)
				if test.says == "" {
					require.NoError(t, err)
				} else {
					require.EqualError(t, err, test.says)
				}
				assert.Equal(t, test.asked, fake.asked)
				assert.LessOrEqual(t, time.Since(began), 5*time.Second)
			})
		})
	}
}

// A worker that several partitions know of is one, and the versions are those of
// the root.
func TestDescribe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newTemporal()
		fake.versions = &taskqueuepb.TaskQueueVersioningInfo{CurrentDeploymentVersion: &deploymentpb.WorkerDeploymentVersion{BuildId: "2"}}
		late, lately := poller("a", "1", time.Minute), poller("a", "1", time.Second)
		b, c := poller("b", "1", 0), poller("a", "2", 0)
		fake.polled = map[string][]*taskqueuepb.PollerInfo{"q": {late}, "/_sys/q/1": {b, lately}, "/_sys/q/2": {late, c}}
		whole, err := fake.queue().Describe(t.Context())
		require.NoError(t, err)
		assert.Equal(t, []*taskqueuepb.PollerInfo{lately, b, c}, whole.GetPollers())
		assert.Equal(t, fake.versions, whole.GetVersioningInfo())

		fake.listing = serviceerror.NewUnimplemented("unknown method")
		whole, err = fake.queue().Describe(t.Context())
		require.NoError(t, err)
		assert.Equal(t, []*taskqueuepb.PollerInfo{late}, whole.GetPollers())

		fake.failing["q"] = serviceerror.NewUnavailable("down")
		_, err = fake.queue().Describe(t.Context())
		require.EqualError(t, err, "describe task queue q: down")
	})
}

// Activities may be kept in other partitions than workflow tasks.
func TestPartitionsOfActivities(t *testing.T) {
	fake := newTemporal()
	queue := fake.queue()
	queue.Type = enumspb.TASK_QUEUE_TYPE_ACTIVITY
	found, err := queue.Any(t.Context(), me)
	require.NoError(t, err)
	assert.False(t, found)
	assert.Equal(t, []string{"studio q Activity", "studio list q"}, fake.asked)
}

func TestNoMoreThanSomePartitions(t *testing.T) {
	fake := newTemporal()
	for i := 3; i < 1000; i++ {
		fake.parts = append(fake.parts, fmt.Sprintf("/_sys/q/%d", i))
	}
	found, err := fake.queue().Any(t.Context(), me)
	require.NoError(t, err)
	assert.False(t, found)
	assert.Len(t, fake.asked, 65, "64 partitions and their list")
}
