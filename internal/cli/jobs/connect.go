package starter

import (
	"context"

	"lumaflow/internal/command"
	"lumaflow/internal/telemetry"
	"lumaflow/internal/temporal/dial"
)

// logging are the flags that the commands of this package share.
type logging struct {
	command.QuietLogging `embed:""`
}

// connected dials Temporal and has use work through it.
func (l logging) connected(ctx context.Context, streams command.Streams, options Options, use func(*Starter) error) error {
	settings, err := dial.Load(nil)
	if err != nil {
		return err
	}
	options.Namespace = settings.Namespace
	logger := l.Logger(streams.Err)
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
	options.Codec = settings.Codec
	return use(New(temporal, options))
}
