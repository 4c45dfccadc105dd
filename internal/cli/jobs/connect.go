// Package jobs holds the commands that start, list, watch and repair jobs: it
// reads flags and files, calls the job client in package starter, and prints.
package jobs

import (
	"context"
	"time"

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
	defer traces.Close() //nolint:contextcheck // the last traces are sent after an interrupt, too
	temporal, err := dial.Temporal(ctx, dial.Options{Logger: logger, Interceptors: traces.Interceptors()})
	if err != nil {
		return err
	}
	defer temporal.Close()
	options.Namespace, options.Codec = settings.Namespace, settings.Codec
	return use(starter.New(temporal, options))
}

// maxID is the greatest length of a workflow id in bytes.
const maxID = 1000

func checkID(id string) error {
	if id == "" || len(id) > maxID {
		return command.Usagef("the job's ID must be 1 to %d bytes long", maxID)
	}
	return nil
}

func checkTaskQueue(name string) error {
	if name == "" {
		return command.Usagef("TASK_QUEUE is empty: leave it unset for the default")
	}
	return nil
}

func checkTimeout(timeout time.Duration) error {
	if timeout < 0 {
		return command.Usagef("--timeout is %s: give a duration above 0, such as 30m", timeout)
	}
	return nil
}
