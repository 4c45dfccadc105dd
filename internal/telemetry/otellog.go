package telemetry

import (
	"log/slog"
	"time"

	"lumaflow/internal/oneline"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"golang.org/x/time/rate"
)

const (
	// exportErrorInterval is the period of the log lines about the trace exporter,
	// which sends spans, and may fail, every few seconds.
	exportErrorInterval = time.Minute
	// maxOTelText bounds a text of OpenTelemetry in a log line, in bytes.
	maxOTelText = 300
)

// logOpenTelemetry sends the errors and the log of OpenTelemetry, which are global
// to the process, to logger. By default they go to stderr with the values of the
// settings.
func logOpenTelemetry(logger *slog.Logger) {
	limit := rate.Sometimes{Interval: exportErrorInterval}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		limit.Do(func() {
			logger.Warn("traces are not complete; jobs continue", "error", oneline.Truncate(err.Error(), maxOTelText))
		})
	}))
	otel.SetLogger(logr.New(settingsErrors{logger}))
}

// settingsErrors logs the messages of OpenTelemetry's errors without their values:
// the headers for the collector, for example, hold its credentials.
type settingsErrors struct{ logger *slog.Logger }

func (s settingsErrors) Error(_ error, message string, _ ...any) {
	s.logger.Warn("OpenTelemetry can't use one of its settings", "problem", oneline.Clean(message))
}

func (settingsErrors) Init(logr.RuntimeInfo)            {}
func (settingsErrors) Enabled(int) bool                 { return false }
func (settingsErrors) Info(int, string, ...any)         {}
func (s settingsErrors) WithValues(...any) logr.LogSink { return s }
func (s settingsErrors) WithName(string) logr.LogSink   { return s }
