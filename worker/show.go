package worker

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"lumaflow/census"
	"lumaflow/dial"
	"lumaflow/starter"
	"lumaflow/store"
	"lumaflow/telemetry"
)

const (
	// pollTime is how recently Temporal must have seen the worker ask for work.
	// One that finds nothing asks once a minute.
	pollTime = 2 * time.Minute
	// outputHolds is how long the output counts as writable without another try,
	// which costs a write.
	outputHolds = time.Minute
)

// show is what a worker shows of itself and of all jobs.
type show struct {
	*telemetry.Telemetry
	// temporal only looks on, so a job that it can't read does not end the worker.
	temporal            client.Client
	server              dial.Settings
	identity, taskQueue string
}

// ready begins to answer whether the worker is.
func (s show) ready(reach func(context.Context) error, output store.Store) {
	s.Health.Begin(
		telemetry.Check{Name: "temporal", Ask: reach},
		telemetry.Check{Name: "poller", Ask: s.polling},
		telemetry.Check{Name: "output", Ask: output.Check, Holds: outputHolds},
	)
}

// polling asks Temporal whether it sees this worker. It looks at workflow tasks,
// since a worker that has all its hands full of downloads still takes those.
//
// A server keeps a task queue in several parts, and of who polls the others the
// first tells only some. So those are asked, too, if it does not tell.
func (s show) polling(ctx context.Context) error {
	seen, err := s.seen(ctx, s.taskQueue)
	if err != nil || seen {
		return err
	}
	parts, err := s.temporal.WorkflowService().ListTaskQueuePartitions(ctx, &workflowservice.ListTaskQueuePartitionsRequest{
		Namespace: s.server.Namespace,
		TaskQueue: &taskqueuepb.TaskQueue{Name: s.taskQueue},
	})
	if err != nil {
		return fmt.Errorf("list the partitions of task queue %s: %w", s.taskQueue, err)
	}
	for _, part := range parts.GetWorkflowTaskQueuePartitions() {
		if seen, err := s.seen(ctx, part.GetKey()); err != nil || seen {
			return err
		}
	}
	return fmt.Errorf("according to Temporal nobody called %s asks for work on task queue %s", s.identity, s.taskQueue)
}

// seen reports whether Temporal has heard of this worker lately in one part of the
// task queue.
func (s show) seen(ctx context.Context, part string) (bool, error) {
	described, err := s.temporal.DescribeTaskQueue(ctx, part, enumspb.TASK_QUEUE_TYPE_WORKFLOW)
	if err != nil {
		return false, fmt.Errorf("describe task queue %s: %w", part, err)
	}
	return slices.ContainsFunc(described.GetPollers(), func(poller *taskqueuepb.PollerInfo) bool {
		return poller.GetIdentity() == s.identity && time.Since(poller.GetLastAccessTime().AsTime()) < pollTime
	}), nil
}

// countJobs counts all jobs while the worker runs or, if nobody can see it, only
// looks for videos that will be deleted. It returns what ends that.
func (s show) countJobs(ctx context.Context, logger *slog.Logger) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	jobs := census.New(census.Options{
		Temporal:  s.temporal,
		Jobs:      starter.New(s.temporal, starter.Options{Namespace: s.server.Namespace, Codec: s.server.Codec}),
		TaskQueue: s.taskQueue,
		Metrics:   s.Metrics(),
		Logger:    logger,
	})
	run := jobs.Run
	if !s.Measures() {
		run = jobs.Guard
	}
	var counting sync.WaitGroup
	counting.Go(func() { run(ctx) })
	return func() {
		cancel()
		counting.Wait()
	}
}
