package starter

import (
	"context"
	"log/slog"

	"lumaflow/command"
	"lumaflow/dial"
)

// logging are the flags of command.Logging with another default: the client
// commands talk to people, who need no log of the SDK's doings.
type logging struct {
	LogLevel  slog.Level `name:"log-level" env:"LOG_LEVEL" default:"warn" help:"Least severe level that is logged: debug, info, warn or error."`
	LogFormat string     `name:"log-format" env:"LOG_FORMAT" default:"text" enum:"text,json" help:"Log format: text or json."`
}

// connected dials Temporal and has use work through it.
func (l logging) connected(ctx context.Context, streams command.Streams, options Options, use func(*Starter) error) error {
	logger := command.Logging{Level: l.LogLevel, Format: l.LogFormat}.Logger(streams.Err)
	temporal, err := dial.Temporal(ctx, dial.Options{Logger: logger})
	if err != nil {
		return err
	}
	defer temporal.Close()
	return use(New(temporal, options))
}
