package jobs_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/cli/jobs"
	"lumaflow/internal/command"
	"lumaflow/internal/oneline"
	"lumaflow/workflows"
)

func TestTaskIDs(t *testing.T) {
	long := strings.Repeat("a", 256)
	tests := []struct {
		name  string
		args  []string
		lines string
		want  []string
		twice int
		err   string
	}{
		{"one", nil, "abc", []string{"abc"}, 0, ""},
		{"several, with blanks, comments and Windows ends", nil, "\ufeff# mine\r\n abc \r\n\r\n\tveo_task_1:2.3-4 # new\r\n", []string{"abc", "veo_task_1:2.3-4"}, 0, ""},
		{"arguments come first, each once", []string{"b", "a"}, "a\nc\nb\n", []string{"b", "a", "c"}, 2, ""},
		{"as long as can be", nil, long, []string{long}, 0, ""},
		{"nothing", nil, "\n# nothing\n", nil, 0, "standard input names no task: write one task id a line"},
		{"a sentence", nil, "abc\nthe quick brown fox jumps over the lazy dog, twice\n", nil, 0,
			`standard input line 2: "the quick brown fox jumps over the lazy …" is no task id: give one a line, of letters, digits and - _ . : only; nothing is started`},
		{"several bad lines", nil, "a b\nabc\nc d\ne,f\n", nil, 0,
			`standard input line 1: "a b" is no task id: give one a line, of letters, digits and - _ . : only; 2 more lines can't be used either; nothing is started`},
		{"too long", nil, long + "a", nil, 0,
			`standard input line 1: "` + long[:40] + `…" is no task id: it is longer than 256 letters; nothing is started`},
		{"no text", nil, "abc\n\xff\xfe\x00\n", nil, 0, "standard input line 2: it is no text (UTF-8); nothing is started"},
		{"an escape", nil, "\x1b[31mred\n", nil, 0,
			`standard input line 1: "\x1b[31mred" is no task id: give one a line, of letters, digits and - _ . : only; nothing is started`},
		{"a line without end", nil, strings.Repeat("x", 1<<20+1), nil, 0, "standard input line 1: it is longer than 1 MiB; nothing is started"},
		{"too much", nil, strings.Repeat("\n", jobs.MaxFile+1), nil, 0, "standard input is larger than 64 MiB: split it"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ids, twice, err := jobs.ReadTasks(t.Context(), test.args, "-", strings.NewReader(test.lines))
			if test.err != "" {
				require.EqualError(t, err, test.err)
				require.Equal(t, command.ExitUsage, command.ExitCode(err))
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.twice, twice)
			require.Equal(t, test.want, ids)
		})
	}
}

// Ctrl-C ends the read of an endless list.
func TestInterruptedRead(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	stdin, feed := io.Pipe()
	go func() {
		_, _ = feed.Write([]byte("abc\n"))
		cancel()
	}()
	_, _, err := jobs.ReadTasks(ctx, nil, "-", stdin)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, command.ExitFailed, command.ExitCode(err))
	require.NoError(t, feed.Close())
}

// Any file is read as task ids, each once, or rejected in one line.
func FuzzLines(f *testing.F) {
	for _, seed := range []string{"abc\n# x\n\ndef # y", "null", "\xff", "\ufeff{}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		ids, _, err := jobs.ReadTasks(t.Context(), nil, "-", bytes.NewReader(data))
		if err != nil {
			require.Empty(t, ids)
			require.Equal(t, command.ExitUsage, command.ExitCode(err))
			require.Equal(t, oneline.Clean(err.Error()), err.Error(), "one plain line")
			return
		}
		require.NotEmpty(t, ids)
		seen := map[string]bool{}
		for _, id := range ids {
			require.NoError(t, workflows.ModifyVideoInput{TaskID: id}.Validate())
			require.False(t, seen[id], "a task is listed once")
			seen[id] = true
		}
	})
}
