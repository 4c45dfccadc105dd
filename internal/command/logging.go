package command

import (
	"io"
	"log/slog"
)

// Logging is the logging flags of long-running commands.
type Logging struct {
	Level  slog.Level `name:"log-level" env:"LOG_LEVEL" default:"info" help:"Least severe level that is logged: debug, info, warn or error."`
	Format string     `name:"log-format" env:"LOG_FORMAT" default:"text" enum:"text,json" help:"Log format: text or json."`
}

// QuietLogging is Logging for interactive commands: its default level hides the
// SDK's info lines.
type QuietLogging struct {
	LogLevel  slog.Level `name:"log-level" env:"LOG_LEVEL" default:"warn" help:"Least severe level that is logged: debug, info, warn or error."`
	LogFormat string     `name:"log-format" env:"LOG_FORMAT" default:"text" enum:"text,json" help:"Log format: text or json."`
}

// Logger returns a logger that writes to w.
func (l QuietLogging) Logger(w io.Writer) *slog.Logger {
	return Logging{Level: l.LogLevel, Format: l.LogFormat}.Logger(w)
}

// Logger returns a logger that writes to w.
func (l Logging) Logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: l.Level}
	if l.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
