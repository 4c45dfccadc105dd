package terminal_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/cli/terminal"
)

const manyWords = "no worker is polling task queue lumaflow; start one with: " +
	"lumaflow worker --task-queue lumaflow --deployment-name lumaflow --build-id 0123456789abcdef; or try again"

// On a terminal sentences are wrapped between words, but commands stay whole.
func TestWrap(t *testing.T) {
	for _, test := range []struct {
		name, text string
		width      int
		want       string
	}{
		{"no terminal", manyWords, 0, manyWords},
		{"words", "a job that is waiting for kie.ai", 20, "a job that is\n  waiting for kie.ai"},
		{"a wide word", "at https://kie.ai/logs/0123456789 now", 20, "at\n  https://kie.ai/logs/0123456789\n  now"},
		{"wide letters", "雪雪雪雪 雪雪雪雪", 18, "雪雪雪雪\n  雪雪雪雪"},
		{"a command at the end", "see it with: lumaflow status shot-7 --json", 30, "see it with:\n  lumaflow status shot-7 --json"},
		{"a command in a sentence", "wait for: lumaflow wait shot-7; or try again", 30, "wait for:\n  lumaflow wait shot-7; or try\n  again"},
		{"a command in backticks", "run `lumaflow resolve shot-7 --resubmit`, or wait on", 24, "run\n  `lumaflow resolve shot-7 --resubmit`,\n  or wait on"},
		{"a pipe of commands", "collect: lumaflow list --at-risk --json | jq -r '.[].taskId' | lumaflow rescue --ids -", 40,
			"collect:\n  lumaflow list --at-risk --json | jq -r '.[].taskId' | lumaflow rescue --ids -"},
		{"a command of Temporal", "add it with: temporal operator search-attribute create --name A", 40, "add it with:\n  temporal operator search-attribute create --name A"},
	} {
		require.Equal(t, test.want, terminal.Wrap(test.text, 2, test.width), test.name)
	}
}
