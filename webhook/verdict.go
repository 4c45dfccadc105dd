package webhook

import (
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"lumaflow/internal/callback"
	"lumaflow/internal/telemetry/metrics"
)

// verdict is what became of a callback: the answer and the log line.
type verdict struct {
	status int
	// answer is all that the sender learns, name what the log calls it, counted
	// what the metrics do.
	answer, name, counted string
	retryAfter            time.Duration
	// cause explains a verdict to the operator.
	cause error
	// probe says that the doctor asked, or who poses as it.
	probe bool
}

func received(name, counted string) verdict {
	return verdict{status: http.StatusOK, answer: "received", name: name, counted: counted}
}

// unauthorized is one answer for all reasons, so that it tells a forger nothing.
func unauthorized(name, counted string, cause error) verdict {
	return verdict{status: http.StatusUnauthorized, answer: "unauthorized", name: name, counted: counted, cause: cause}
}

func refused(status int, name string, cause error) verdict {
	counted := metrics.CallbackMalformed
	if status == http.StatusRequestEntityTooLarge {
		counted = metrics.CallbackTooLarge
	}
	return verdict{status: status, answer: name, name: name, counted: counted, cause: cause}
}

// again makes kie.ai send the callback once more.
func again(name, counted string, after time.Duration, cause error) verdict {
	return verdict{status: http.StatusServiceUnavailable, answer: "try again", name: name, counted: counted, retryAfter: after, cause: cause}
}

func (v verdict) write(w http.ResponseWriter) {
	if v.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(v.retryAfter.Seconds()))))
	}
	respond(w, v.status, v.answer)
}

func respond(w http.ResponseWriter, status int, text string) {
	body, _ := json.Marshal(map[string]string{"status": text}) // Strings always marshal.
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// A sender that has gone gets no answer and sends again.
	_, _ = w.Write(body)
}

// ofProbe is the same answer to the doctor, told apart from callbacks in what
// operators see: that it is refused is part of the examination. A stranger who
// poses as the doctor can only reach jobs that don't exist.
func (v verdict) ofProbe() verdict {
	v.name, v.probe = "probe: "+v.name, true
	return v
}

func (v verdict) level() slog.Level {
	switch {
	case v.status >= http.StatusInternalServerError:
		return slog.LevelError
	case v.status == http.StatusOK || v.probe:
		return slog.LevelInfo
	default:
		return slog.LevelWarn
	}
}

const redacted = "[redacted]"

// What one value from outside may take up in a log line, in bytes.
const (
	maxLoggedID    = 1000
	maxLoggedGuess = 128
	maxLoggedCause = 300
)

func (v verdict) log(ctx context.Context, logger *slog.Logger, d delivery) {
	attributes := []slog.Attr{slog.String("verdict", v.name), slog.Int("status", v.status)}
	if d.authentic {
		attributes = append(attributes, slog.String("job", clip(d.workflowID, maxLoggedID)))
	} else {
		attributes = append(attributes, slog.String("claimed_job", clip(withoutTokens(d.workflowID), maxLoggedGuess)))
	}
	if d.taskID != "" {
		attributes = append(attributes, slog.String("task", clip(d.taskID, maxLoggedID)), slog.Int("code", d.code))
	}
	if v.cause != nil {
		attributes = append(attributes, slog.String("error", clip(d.withoutToken(strings.ToValidUTF8(v.cause.Error(), "")), maxLoggedCause)))
	}
	logger.LogAttrs(ctx, v.level(), "callback", attributes...)
}

// withoutTokens hides whatever looks like a token: in a path that is not ours,
// a token may stand where the job should. Bytes that are no text go first, or a
// token that they take apart would be whole again in the log.
func withoutTokens(text string) string {
	return callback.RedactTokens(strings.ToValidUTF8(text, ""))
}

// clip cuts text to at most limit bytes of valid UTF-8.
func clip(text string, limit int) string {
	if len(text) > limit {
		text = text[:limit]
	}
	return strings.ToValidUTF8(text, "")
}
