package worker

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/sdk/client"

	"lumaflow/internal/store"
	"lumaflow/internal/telemetry"
	"lumaflow/internal/temporal/dial"
	"lumaflow/internal/temporal/pollers"
	"lumaflow/starter"
	"lumaflow/worker/census"
)

// outputHolds is how long the output counts as writable without another try,
// which costs a write.
const outputHolds = time.Minute

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
	s.Readiness.Begin(
		telemetry.Check{Name: "temporal", Probe: reach},
		telemetry.Check{Name: "poller", Probe: s.polling},
		telemetry.Check{Name: "output", Probe: output.Check, TTL: outputHolds},
	)
}

// polling asks Temporal whether it sees this worker. It looks at workflow tasks,
// since a worker that has all its hands full of downloads still takes those.
func (s show) polling(ctx context.Context) error {
	queue := pollers.Queue{
		Service: s.temporal.WorkflowService(), Namespace: s.server.Namespace, Name: s.taskQueue, Type: enumspb.TASK_QUEUE_TYPE_WORKFLOW,
	}
	seen, err := queue.Any(ctx, func(poller *taskqueuepb.PollerInfo) bool { return poller.GetIdentity() == s.identity })
	if err == nil && !seen {
		err = fmt.Errorf("according to Temporal nobody called %s asks for work on task queue %s", s.identity, s.taskQueue)
	}
	return err
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
