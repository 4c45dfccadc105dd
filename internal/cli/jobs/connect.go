// Package jobs holds the commands that start, list, watch and repair jobs: it
// reads flags and files, calls the job client in package starter, and prints.
package jobs

import (
	"context"

	"lumaflow/internal/command"
	"lumaflow/internal/telemetry"
	"lumaflow/internal/temporal/dial"
	"lumaflow/starter"
)

// connection holds the flags that every command of this package has.
type connection struct {
	command.Logging `embed:"" set:"log_level=warn"`
}

// connected dials Temporal, calls use with a job client and closes the connection.
func (c connection) connected(ctx context.Context, streams command.Streams, options starter.Options, use func(*starter.Starter) error) error {
	settings, err := dial.Load(nil)
	if err != nil {
		return err
	}
	logger := c.Logger(streams.Err)
	traces, err := telemetry.StartTraces(ctx, "lumaflow-cli", logger)
	if err != nil {
		return err
	}
	defer traces.Close()
	temporal, err := dial.Temporal(ctx, dial.Options{Logger: logger, Interceptors: traces.Interceptors()})
	if err != nil {
		return err
	}
	defer temporal.Close()
	options.Namespace, options.Codec = settings.Namespace, settings.Codec
	return use(starter.New(temporal, options))
}
