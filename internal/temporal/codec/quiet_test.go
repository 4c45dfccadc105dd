package codec_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"lumaflow/internal/temporal/codec"
)

// Only the stack trace of a workflow that waits for its key is left out.
func TestQuiet(t *testing.T) {
	t.Parallel()
	waits := errors.New(`the job waits for a worker that can read it: encrypted with codec key "main", which CODEC_KEYS does not hold: add that key`)
	var out bytes.Buffer
	log := slog.New(codec.Quiet(slog.NewTextHandler(&out, nil))).With("Namespace", "studio").WithGroup("job")
	log.Error("Workflow panic", "WorkflowID", "a", "Error", waits, "StackTrace", "coroutine root")
	assert.Empty(t, out.String())
	log.Warn("Failed to process workflow task.", "WorkflowID", "a", "Error", waits)
	log.Error("Workflow panic", "Error", errors.New("[TMPRL1100] other code"), "StackTrace", "coroutine root")
	log.Error("Workflow panic", "Error", waits.Error())
	assert.Equal(t, 3, strings.Count(out.String(), "\n"), out.String())
	assert.Equal(t, 1, strings.Count(out.String(), "coroutine root"))
	assert.Equal(t, 3, strings.Count(out.String(), "Namespace=studio"))
}
