package worker_test

import (
	"bytes"
	"errors"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"

	"lumaflow/activities"
	"lumaflow/worker"
)

func TestActivityLog(t *testing.T) {
	t.Parallel()
	held := temporal.NewNonRetryableApplicationError("no credit", activities.Held, nil)
	tests := map[string]struct {
		message string
		err     error
		want    string
	}{
		"held":            {"Activity error.", held, "WARN"},
		"unknown":         {"Activity error.", temporal.NewNonRetryableApplicationError("lost", activities.SubmitUnknown, nil), "WARN"},
		"the job fails":   {"Activity error.", temporal.NewNonRetryableApplicationError("no", activities.SubmitRefused, nil), "ERROR"},
		"another error":   {"Activity error.", errors.New("panic"), "ERROR"},
		"another message": {"Task processing failed", held, "ERROR"},
	}
	for name, test := range tests {
		var out bytes.Buffer
		logger := log.NewStructuredLogger(slog.New(worker.NewActivityLog(slog.NewTextHandler(&out, nil))))
		log.With(logger, "WorkerID", "1").Error(test.message, "Attempt", 1, "Error", test.err)
		assert.Contains(t, out.String(), "level="+test.want+" ", name)
		assert.Contains(t, out.String(), "WorkerID=1", name)

		out.Reset()
		logger = log.NewStructuredLogger(slog.New(worker.NewActivityLog(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelError}))))
		logger.Error(test.message, "Error", test.err)
		assert.Equal(t, test.want == "ERROR", out.Len() > 0, name)
	}
}
