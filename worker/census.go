package worker

import (
	"context"
	"log/slog"
	"sync"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"lumaflow/internal/telemetry"
	"lumaflow/internal/temporal/dial"
	"lumaflow/internal/temporal/pollers"
	"lumaflow/starter"
	"lumaflow/worker/census"
)

// startCensus counts all jobs of the task queue in the background until stop is
// called. Without a metrics port it only searches for videos that kie.ai will
// delete.
func startCensus(ctx context.Context, temporal client.Client, server dial.Settings, taskQueue, identity string,
	observed *telemetry.Telemetry, logger *slog.Logger,
) (stop func()) {
	jobs := census.New(census.Options{
		Temporal: temporal,
		Jobs:     starter.New(temporal, starter.Options{Namespace: server.Namespace, Codec: server.Codec}),
		Pollers: pollers.Queue{
			Service: temporal.WorkflowService(), Namespace: server.Namespace, Name: taskQueue, Type: enumspb.TASK_QUEUE_TYPE_WORKFLOW,
		},
		TaskQueue: taskQueue,
		Identity:  identity,
		Metrics:   observed.Metrics(),
		Logger:    logger,
	})
	run := jobs.Run
	if !observed.Measures() {
		run = jobs.Guard
	}
	ctx, cancel := context.WithCancel(ctx)
	var counting sync.WaitGroup
	counting.Go(func() { run(ctx) })
	return func() {
		cancel()
		counting.Wait()
	}
}
