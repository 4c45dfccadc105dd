// Package pollers lists the workers that poll a task queue. A server splits a task
// queue into partitions, and a description of the first one, the root, contains
// only some pollers of the others: this package merges all partitions.
package pollers

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
)

const (
	// timeout bounds all requests about a task queue together, maxPartitions their
	// number. Temporal's default is 4 partitions, and a worker may poll any.
	timeout       = 5 * time.Second
	maxPartitions = 64
	// maxPollAge is the largest age of a running worker's entry: a poll lasts one
	// minute, and Temporal updates the entry at its start and its end.
	maxPollAge = 90 * time.Second
	// retention is the time after which Temporal (1.29) drops a poller. A larger
	// age means that the clocks disagree.
	retention = 5 * time.Minute
)

// Queue is a task queue of one task type.
type Queue struct {
	Service         workflowservice.WorkflowServiceClient
	Namespace, Name string
	Type            enumspb.TaskQueueType
}

// Any reports whether a live poller matches. It stops at the first match.
func (q Queue) Any(ctx context.Context, match func(*taskqueuepb.PollerInfo) bool) (bool, error) {
	for partition, err := range q.partitions(ctx) {
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(partition.GetPollers(), func(poller *taskqueuepb.PollerInfo) bool { return Alive(poller) && match(poller) }) {
			return true, nil
		}
	}
	return false, nil
}

// Describe returns the description of the root partition with the pollers of all
// partitions, each once with its latest access time.
func (q Queue) Describe(ctx context.Context) (*workflowservice.DescribeTaskQueueResponse, error) {
	var merged *workflowservice.DescribeTaskQueueResponse
	for partition, err := range q.partitions(ctx) {
		if err != nil {
			return merged, err
		}
		pollers := partition.GetPollers()
		if merged == nil {
			merged = partition
			merged.Pollers = nil
		}
		for _, poller := range pollers {
			i := slices.IndexFunc(merged.Pollers, func(other *taskqueuepb.PollerInfo) bool { return sameWorker(other, poller) })
			switch {
			case i < 0:
				merged.Pollers = append(merged.Pollers, poller)
			case Age(poller) < Age(merged.Pollers[i]):
				merged.Pollers[i] = poller
			}
		}
	}
	return merged, nil
}

func sameWorker(a, b *taskqueuepb.PollerInfo) bool {
	one, other := a.GetDeploymentOptions(), b.GetDeploymentOptions()
	return a.GetIdentity() == b.GetIdentity() && one.GetWorkerVersioningMode() == other.GetWorkerVersioningMode() &&
		one.GetDeploymentName() == other.GetDeploymentName() && one.GetBuildId() == other.GetBuildId()
}

// Age returns the time since the last access of a poller, by this machine's clock.
func Age(poller *taskqueuepb.PollerInfo) time.Duration {
	return time.Since(poller.GetLastAccessTime().AsTime())
}

// Alive reports whether a poller may be running. A dead one counts as alive for
// 90 seconds.
func Alive(poller *taskqueuepb.PollerInfo) bool {
	age := Age(poller)
	return age <= maxPollAge || age > retention
}

// partitions describes the partitions, the root first. It ends after the root if
// the server has no API for partitions or denies access to it.
func (q Queue) partitions(ctx context.Context) iter.Seq2[*workflowservice.DescribeTaskQueueResponse, error] {
	return func(yield func(*workflowservice.DescribeTaskQueueResponse, error) bool) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		root, err := q.describe(ctx, q.Name)
		if !yield(root, err) || err != nil {
			return
		}
		listed, err := q.list(ctx)
		if err != nil && !unavailableAPI(err) {
			yield(nil, err)
		}
		for _, partition := range listed[:min(len(listed), maxPartitions)] {
			if partition.GetKey() == q.Name {
				continue
			}
			described, err := q.describe(ctx, partition.GetKey())
			if unavailableAPI(err) || !yield(described, err) || err != nil {
				return
			}
		}
	}
}

// unavailableAPI reports an error that a later request would get again.
func unavailableAPI(err error) bool {
	var unimplemented *serviceerror.Unimplemented
	var denied *serviceerror.PermissionDenied
	return errors.As(err, &unimplemented) || errors.As(err, &denied)
}

func (q Queue) describe(ctx context.Context, partition string) (*workflowservice.DescribeTaskQueueResponse, error) {
	described, err := q.Service.DescribeTaskQueue(ctx, &workflowservice.DescribeTaskQueueRequest{
		Namespace:     q.Namespace,
		TaskQueue:     &taskqueuepb.TaskQueue{Name: partition, Kind: enumspb.TASK_QUEUE_KIND_NORMAL},
		TaskQueueType: q.Type,
	})
	if err != nil {
		return nil, fmt.Errorf("describe task queue %s: %w", partition, err)
	}
	return described, nil
}

func (q Queue) list(ctx context.Context) ([]*taskqueuepb.TaskQueuePartitionMetadata, error) {
	listed, err := q.Service.ListTaskQueuePartitions(ctx, &workflowservice.ListTaskQueuePartitionsRequest{
		Namespace: q.Namespace,
		TaskQueue: &taskqueuepb.TaskQueue{Name: q.Name, Kind: enumspb.TASK_QUEUE_KIND_NORMAL},
	})
	if err != nil {
		return nil, fmt.Errorf("list the partitions of task queue %s: %w", q.Name, err)
	}
	if q.Type == enumspb.TASK_QUEUE_TYPE_ACTIVITY {
		return listed.GetActivityTaskQueuePartitions(), nil
	}
	return listed.GetWorkflowTaskQueuePartitions(), nil
}
