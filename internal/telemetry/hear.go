package telemetry

import (
	"log/slog"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"

	"lumaflow/internal/oneline"
)

// hearEvery is how often trouble with the collector is worth a line: spans are
// sent every few seconds, and each failure would be one.
const hearEvery = time.Minute

// maxHeard bounds, in bytes, what a line repeats of OpenTelemetry's words.
const maxHeard = 300

// hear has OpenTelemetry, whose voice is one for the whole process, speak through
// our log instead of straight to stderr.
func hear(logger *slog.Logger) {
	voice := &voice{logger: logger}
	otel.SetErrorHandler(voice)
	otel.SetLogger(logr.New(voice))
}

func heard(err error) { otel.Handle(err) }

// voice logs what OpenTelemetry has to say, at most once a minute.
type voice struct {
	logger *slog.Logger

	mu   sync.Mutex
	last time.Time
}

// Handle takes the errors of the exporter.
func (v *voice) Handle(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.last.IsZero() && time.Since(v.last) < hearEvery {
		return
	}
	v.last = time.Now()
	v.logger.Warn("traces are not complete; jobs go on", "error", oneline.Truncate(err.Error(), maxHeard))
}

// Error takes what the OpenTelemetry SDK logs, without the values that come with
// it: the headers for the collector, say, hold its credentials.
func (v *voice) Error(_ error, message string, _ ...any) {
	v.logger.Warn("OpenTelemetry can't use one of its settings", "problem", oneline.Clean(message))
}

// The rest of a logr.LogSink.

func (v *voice) Init(logr.RuntimeInfo)          {}
func (v *voice) Enabled(int) bool               { return false }
func (v *voice) Info(int, string, ...any)       {}
func (v *voice) WithValues(...any) logr.LogSink { return v }
func (v *voice) WithName(string) logr.LogSink   { return v }
