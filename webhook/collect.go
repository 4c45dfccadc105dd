package webhook

import (
	"context"
	"fmt"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"lumaflow/internal/paid/runs"
)

// Collector handles the paid tasks of jobs that are over.
type Collector interface {
	// Collect returns once Temporal has stored what becomes of the task. It is
	// idempotent for each task, and returns when ctx ends.
	Collect(ctx context.Context, workflowID, taskID string) (runs.Outcome, error)
}

// NewCollector returns the Collector of a Temporal client; data decodes the payloads
// of the namespace. Tasks of jobs whose history is deleted are collected on taskQueue.
func NewCollector(temporal client.Client, data converter.DataConverter, namespace, taskQueue string) Collector {
	return collector{runs.Collector{
		Starter:   temporal,
		Reader:    runs.Reader{Server: temporal, Data: data, Namespace: namespace},
		TaskQueue: taskQueue,
	}}
}

type collector struct{ runs runs.Collector }

// Collect implements Collector.
func (c collector) Collect(ctx context.Context, workflowID, taskID string) (runs.Outcome, error) {
	call, cancel := withoutDeadline(ctx)
	defer cancel()
	collected, err := c.runs.Collect(call, workflowID, taskID)
	if err != nil && ctx.Err() != nil {
		return "", fmt.Errorf("collect task %s of %s: %w", taskID, workflowID, context.Cause(ctx))
	}
	return collected, err
}
