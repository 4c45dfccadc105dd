package command_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/command"
)

// Scripts rely on the exit codes: an error about the input stays one in whatever error
// wraps it.
func TestExitCode(t *testing.T) {
	cause := errors.New("no such file")
	usage := command.Usagef("--ids: %w", cause)
	require.ErrorIs(t, usage, cause)
	tests := []struct {
		err  error
		want int
	}{
		{nil, 0},
		{cause, 1},
		{usage, 2},
		{fmt.Errorf("line 3: %w", usage), 2},
		{errors.Join(cause, usage), 2},
	}
	for _, test := range tests {
		require.Equal(t, test.want, command.ExitCode(test.err), "%v", test.err)
	}
}

// The addresses in JSON output can be copied: their & is no \u0026.
func TestWriteJSON(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, command.WriteJSON(&out, map[string]string{"url": "https://cdn.example.org/in.mp4?a=1&b=<2>"}))
	require.Contains(t, out.String(), `"https://cdn.example.org/in.mp4?a=1&b=<2>"`)
}

func TestLogger(t *testing.T) {
	tests := []struct {
		logging command.Logging
		want    []string
	}{
		{command.Logging{Level: slog.LevelInfo, Format: "text"}, []string{"level=INFO msg=started", "level=WARN msg=slow"}},
		{command.Logging{Level: slog.LevelWarn, Format: "text"}, []string{"level=WARN msg=slow"}},
		{command.Logging{Level: slog.LevelWarn, Format: "json"}, []string{`"level":"WARN","msg":"slow"`}},
	}
	for _, test := range tests {
		var out bytes.Buffer
		logger := test.logging.Logger(&out)
		logger.InfoContext(t.Context(), "started")
		logger.WarnContext(t.Context(), "slow")
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		require.Len(t, lines, len(test.want))
		for i, line := range lines {
			require.Contains(t, line, test.want[i])
		}
	}
}
