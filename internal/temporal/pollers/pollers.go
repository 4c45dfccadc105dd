// Package pollers is who asks for work on a task queue, as far as Temporal tells.
// A server keeps a task queue in several partitions, and of who polls the others
// the first, the root, tells only some: here a task queue is all of them.
package pollers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
)

const (
	// askTime bounds all requests about a task queue together, maxParts their
	// number. A server has 4 partitions unless it is told otherwise, and workers
	// are heard of in any of them.
	askTime  = 5 * time.Second
	maxParts = 64
	// fresh is the longest that a worker that lives is not heard of: a poll takes
	// a minute, and Temporal notes its begin and its end.
	fresh = 90 * time.Second
	// remembered is how long Temporal (1.29) knows of a poller. One that seems to
	// be older is a sign of clocks that disagree.
	remembered = 5 * time.Minute
)

// Queue is a task queue for tasks of one type.
type Queue struct {
	Service         workflowservice.WorkflowServiceClient
	Namespace, Name string
	Type            enumspb.TaskQueueType
}

// Any reports whether a worker like that polls and lives. It asks no more than
// it takes to find one.
func (q Queue) Any(ctx context.Context, like func(*taskqueuepb.PollerInfo) bool) (found bool, err error) {
	err = q.each(ctx, func(part *workflowservice.DescribeTaskQueueResponse) bool {
		found = slices.ContainsFunc(part.GetPollers(), func(poller *taskqueuepb.PollerInfo) bool { return Alive(poller) && like(poller) })
		return !found
	})
	return found, err
}

// Describe is all of the task queue as if it were one: what the root tells, and
// each poller once, as it was last heard of.
func (q Queue) Describe(ctx context.Context) (whole *workflowservice.DescribeTaskQueueResponse, err error) {
	err = q.each(ctx, func(part *workflowservice.DescribeTaskQueueResponse) bool {
		polling := part.GetPollers()
		if whole == nil {
			whole = part
			whole.Pollers = nil
		}
		for _, poller := range polling {
			known := slices.IndexFunc(whole.Pollers, func(other *taskqueuepb.PollerInfo) bool { return same(other, poller) })
			switch {
			case known < 0:
				whole.Pollers = append(whole.Pollers, poller)
			case Silent(poller) < Silent(whole.Pollers[known]):
				whole.Pollers[known] = poller
			}
		}
		return true
	})
	return whole, err
}

func same(a, b *taskqueuepb.PollerInfo) bool {
	one, other := a.GetDeploymentOptions(), b.GetDeploymentOptions()
	return a.GetIdentity() == b.GetIdentity() && one.GetWorkerVersioningMode() == other.GetWorkerVersioningMode() &&
		one.GetDeploymentName() == other.GetDeploymentName() && one.GetBuildId() == other.GetBuildId()
}

// Silent is how long ago a poller was heard of, by this machine's clock.
func Silent(poller *taskqueuepb.PollerInfo) time.Duration {
	return time.Since(poller.GetLastAccessTime().AsTime())
}

// Alive reports whether a poller may still be there. One that died counts for as
// long as one that lives may be silent.
func Alive(poller *taskqueuepb.PollerInfo) bool {
	silent := Silent(poller)
	return silent <= fresh || silent > remembered
}

// each describes the partitions, the root first, until next has enough. Of a
// server that does not know of partitions, or does not tell, the root is all.
func (q Queue) each(ctx context.Context, next func(*workflowservice.DescribeTaskQueueResponse) bool) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	root, err := q.describe(ctx, q.Name)
	if err != nil || !next(root) {
		return err
	}
	parts, err := q.parts(ctx)
	if err != nil {
		return untold(err)
	}
	for _, part := range parts[:min(len(parts), maxParts)] {
		if part.GetKey() == q.Name {
			continue
		}
		described, err := q.describe(ctx, part.GetKey())
		if err != nil {
			return untold(err)
		}
		if !next(described) {
			return nil
		}
	}
	return nil
}

// untold is nil for an answer that will not be another one tomorrow.
func untold(err error) error {
	var unknown *serviceerror.Unimplemented
	var forbidden *serviceerror.PermissionDenied
	if errors.As(err, &unknown) || errors.As(err, &forbidden) {
		return nil
	}
	return err
}

func (q Queue) describe(ctx context.Context, part string) (*workflowservice.DescribeTaskQueueResponse, error) {
	described, err := q.Service.DescribeTaskQueue(ctx, &workflowservice.DescribeTaskQueueRequest{
		Namespace:     q.Namespace,
		TaskQueue:     &taskqueuepb.TaskQueue{Name: part, Kind: enumspb.TASK_QUEUE_KIND_NORMAL},
		TaskQueueType: q.Type,
	})
	if err != nil {
		return nil, fmt.Errorf("describe task queue %s: %w", part, err)
	}
	return described, nil
}

func (q Queue) parts(ctx context.Context) ([]*taskqueuepb.TaskQueuePartitionMetadata, error) {
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
