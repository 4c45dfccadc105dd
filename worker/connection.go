package worker

import (
	"context"
	"log/slog"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"lumaflow/internal/telemetry"
	"lumaflow/internal/temporal/dial"
	"lumaflow/internal/temporal/pollers"
	"lumaflow/starter"
	"lumaflow/worker/census"
)

// connection is the worker's connection to Temporal.
type connection struct {
	server   dial.Settings
	identity string
	// worker runs workflows: a payload that it cannot decrypt blocks the workflow
	// task.
	worker client.Client
	// reader reads jobs: a payload that it cannot decrypt is an error.
	reader client.Client
	// reachable reports whether the server answers.
	reachable func(context.Context) error
}

func (c *Command) connect(ctx context.Context, server dial.Settings, observed *telemetry.Telemetry, logger *slog.Logger) (*connection, error) {
	identity := census.Identity(dial.Identity(), observed.Measures())
	options := dial.Options{
		Logger: slog.New(activityLog{logger.Handler()}), Identity: identity, Env: c.Env, Worker: true, Wait: dial.StartupWait,
		Metrics: observed.Metrics(), Interceptors: observed.Interceptors(),
	}
	working, err := dial.Temporal(ctx, options)
	if err != nil {
		return nil, err
	}
	reader, err := dial.QueryClient(ctx, working, options)
	if err != nil {
		working.Close()
		return nil, err
	}
	server.Codec = dial.Guarded(server, logger, observed.Metrics())
	opened := &connection{server: server, identity: identity, worker: working, reader: reader}
	if opened.reachable, err = dial.Reachable(working, c.Env); err != nil {
		opened.close()
		return nil, err
	}
	return opened, nil
}

func (c *connection) close() {
	c.reader.Close()
	c.worker.Close()
}

// startCensus counts all jobs of the task queue in the background until stop is
// called. Without a metrics port it only searches for videos that kie.ai will
// delete.
func (c *connection) startCensus(ctx context.Context, taskQueue string, observed *telemetry.Telemetry, logger *slog.Logger) (stop func()) {
	jobs := census.New(census.Options{
		Jobs: starter.New(c.reader, starter.Options{Namespace: c.server.Namespace, Codec: c.server.Codec}),
		Pollers: pollers.Queue{
			Service: c.reader.WorkflowService(), Namespace: c.server.Namespace, Name: taskQueue, Type: enumspb.TASK_QUEUE_TYPE_WORKFLOW,
		},
		TaskQueue: taskQueue,
		Identity:  c.identity,
		Metrics:   observed.Metrics(),
		Logger:    logger,
	})
	run := jobs.Run
	if !observed.Measures() {
		run = jobs.Guard
	}
	return background(ctx, run)
}
