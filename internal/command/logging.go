package command

import (
	"io"
	"log/slog"
)

// Logging is the logging flags. Interactive commands embed it with the tag
// set:"log_level=warn", which hides the SDK's info lines.
type Logging struct {
	Level  slog.Level `name:"log-level" env:"LOG_LEVEL" default:"${log_level=info}" help:"Least severe level that is logged: debug, info, warn or error."`
	Format string     `name:"log-format" env:"LOG_FORMAT" default:"text" enum:"text,json" help:"Log format: text or json."`
}

// Logger returns a logger that writes to w.
func (l Logging) Logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: l.Level}
	if l.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
