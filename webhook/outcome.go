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

// outcome is the result of one callback: its HTTP answer, log line and metric.
type outcome struct {
	status int
	// answer is the status text of the HTTP answer, reason its finer form in the
	// log and label its value in metrics.
	answer, reason, label string
	retryAfter            time.Duration
	// cause goes to the log only.
	cause error
	// probe marks a request that carries a doctor's job id.
	probe bool
}

func received(reason, label string) outcome {
	return outcome{status: http.StatusOK, answer: "received", reason: reason, label: label}
}

// unauthorized has one answer for all causes, so that a forger learns nothing
// from it.
func unauthorized(reason, label string, cause error) outcome {
	return outcome{status: http.StatusUnauthorized, answer: "unauthorized", reason: reason, label: label, cause: cause}
}

func rejected(status int, reason string, cause error) outcome {
	label := metrics.CallbackMalformed
	if status == http.StatusRequestEntityTooLarge {
		label = metrics.CallbackTooLarge
	}
	return outcome{status: status, answer: reason, reason: reason, label: label, cause: cause}
}

// retryLater is a 503, after which kie.ai repeats the callback.
func retryLater(reason, label string, after time.Duration, cause error) outcome {
	return outcome{status: http.StatusServiceUnavailable, answer: "try again", reason: reason, label: label, retryAfter: after, cause: cause}
}

func (o outcome) write(w http.ResponseWriter) {
	if o.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(o.retryAfter.Seconds()))))
	}
	respond(w, o.status, o.answer)
}

func respond(w http.ResponseWriter, status int, text string) {
	body, _ := json.Marshal(map[string]string{"status": text}) // Strings always marshal.
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// A sender that has disconnected gets no answer and repeats the callback.
	_, _ = w.Write(body)
}

// asProbe is the same answer with a log line at level info and no metric: the
// doctor provokes rejections. Job ids of the doctor's form name no job, so a
// forged probe hides no callback of a job.
func (o outcome) asProbe() outcome {
	o.reason, o.probe = "probe: "+o.reason, true
	return o
}

func (o outcome) level() slog.Level {
	switch {
	case o.status >= http.StatusInternalServerError:
		return slog.LevelError
	case o.status == http.StatusOK || o.probe:
		return slog.LevelInfo
	default:
		return slog.LevelWarn
	}
}

const redacted = "[redacted]"

// Bounds of one value from outside in a log line, in bytes.
const (
	maxLoggedID      = 1000
	maxLoggedClaimed = 128
	maxLoggedCause   = 300
)

func (o outcome) log(ctx context.Context, logger *slog.Logger, d delivery) {
	attributes := []slog.Attr{slog.String("reason", o.reason), slog.Int("status", o.status)}
	if d.authentic {
		attributes = append(attributes, slog.String("job", truncate(d.workflowID, maxLoggedID)))
	} else {
		attributes = append(attributes, slog.String("claimed_job", truncate(withoutTokens(d.workflowID), maxLoggedClaimed)))
	}
	if d.taskID != "" {
		attributes = append(attributes, slog.String("task", truncate(d.taskID, maxLoggedID)), slog.Int("code", d.code))
	}
	if o.cause != nil {
		attributes = append(attributes, slog.String("error", truncate(d.withoutToken(strings.ToValidUTF8(o.cause.Error(), "")), maxLoggedCause)))
	}
	logger.LogAttrs(ctx, o.level(), "callback", attributes...)
}

// withoutTokens redacts every possible token: the path of a forged callback may
// hold a token in place of the job id. Invalid UTF-8 is removed first, because
// its later removal would join the parts of a split token.
func withoutTokens(text string) string {
	return callback.RedactTokens(strings.ToValidUTF8(text, ""))
}

// truncate cuts text to at most limit bytes of valid UTF-8.
func truncate(text string, limit int) string {
	return strings.ToValidUTF8(text[:min(len(text), limit)], "")
}
