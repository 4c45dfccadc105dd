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
	"lumaflow/starter"
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
			orders, twice, err := jobs.ReadTasks(t.Context(), test.args, "-", strings.NewReader(test.lines))
			if test.err != "" {
				require.EqualError(t, err, test.err)
				require.Equal(t, command.ExitUsage, command.ExitCode(err))
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.twice, twice)
			var ids []string
			for _, order := range orders {
				require.Equal(t, workflows.ModifyVideoInput{TaskID: order.Input.TaskID}, order.Input)
				ids = append(ids, order.Input.TaskID)
			}
			require.Equal(t, test.want, ids)
		})
	}
}

func TestBatchLines(t *testing.T) {
	const snow = `{"prompt":"snow","videoUrl":"https://example.org/in.mp4"`
	tests := []struct {
		name  string
		lines string
		want  []starter.Order
		twice int
		err   string
	}{
		{"one", snow + "}", []starter.Order{{Input: request, Line: 1}}, 0, ""},
		{"all fields", "\n" + snow + `,"watermark":"w","name":"n","recoveryWindow":"1m","deadline":"2h","onUnknownSubmit":"fail","key":"k"}`, []starter.Order{{
			Input: workflows.ModifyVideoInput{Prompt: "snow", VideoURL: video, Watermark: "w", Name: "n", RecoveryWindow: "1m", Deadline: "2h", OnUnknownSubmit: "fail"},
			Key:   "k", Line: 2,
		}}, 0, ""},
		{"a task to collect", `{"taskId":"t"}`, []starter.Order{{Input: workflows.ModifyVideoInput{TaskID: "t"}, Line: 1}}, 0, ""},
		{"another take, and the same again", snow + "}\n" + snow + `,"key":"2"}` + "\n" + snow + "}", []starter.Order{{Input: request, Line: 1}, {Input: request, Key: "2", Line: 2}}, 1, ""},
		{"the same job, run otherwise", snow + "}\n" + snow + `,"name":"reel"}`, nil, 0,
			"standard input line 2: it is the same job as line 1 but differs in how it is run; give it a key of its own for another, paid take; nothing is started"},
		{"nothing", " \n\n", nil, 0, "standard input holds no job: write one JSON object a line"},
		{"no prompt", snow + "}\n{\"videoUrl\":\"https://example.org/in.mp4\"}", nil, 0,
			"standard input line 2: prompt is blank: describe the change to the video; nothing is started"},
		{"an unknown field", snow + `,"water_mark":"w"}`, nil, 0,
			"standard input line 1: water_mark is no field of the input: did you mean watermark?; nothing is started"},
		{"a key of another kind", snow + `,"key":2}`, nil, 0, "standard input line 1: key is not a string; nothing is started"},
		{"a field of another kind", `{"prompt":7}`, nil, 0, "standard input line 1: the input is malformed: prompt is a number, not a string; nothing is started"},
		{"one job over several lines", "{\n\"prompt\":\"snow\"\n}", nil, 0,
			"standard input line 1: the input is malformed: unexpected EOF (one JSON object a line is expected); 2 more lines can't be used either; nothing is started"},
		{"one array of jobs", "[" + snow + "}]", nil, 0,
			"standard input line 1: the input is malformed: it is not an object but of type array (one JSON object a line is expected); nothing is started"},
		{"null", "null", nil, 0, "standard input line 1: prompt is blank: describe the change to the video (one JSON object a line is expected); nothing is started"},
		{"a text", "once upon a time", nil, 0,
			"standard input line 1: the input is malformed: invalid character 'o' looking for beginning of value (one JSON object a line is expected); nothing is started"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			orders, twice, err := jobs.ReadBatch(t.Context(), "-", strings.NewReader(test.lines))
			if test.err != "" {
				require.EqualError(t, err, test.err)
				require.Equal(t, command.ExitUsage, command.ExitCode(err))
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, orders)
			require.Equal(t, test.twice, twice)
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

// Any file is read as valid jobs or rejected in one line.
func FuzzLines(f *testing.F) {
	for _, seed := range []string{
		"abc\n# x\n\ndef # y", `{"prompt":"p","videoUrl":"https://x.example.org","key":"k"}`, `{"taskId":"t"}` + "\n" + `{"taskId":"t","name":"n"}`,
		"null", "[1]", "{\"prompt\":", "\xff", "\ufeff{}", `{"key":{}}`, `{"prompt":"\u0000","videoUrl":"http://h"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		check := func(orders []starter.Order, _ int, err error) {
			if err != nil {
				require.Empty(t, orders)
				require.Equal(t, command.ExitUsage, command.ExitCode(err))
				require.Equal(t, oneline.Clean(err.Error()), err.Error(), "one plain line")
				return
			}
			require.NotEmpty(t, orders)
			ids := map[string]bool{}
			for _, order := range orders {
				require.NoError(t, order.Input.Validate())
				id := starter.JobID(order.Input, order.Key)
				require.False(t, ids[id], "a job is listed once")
				ids[id] = true
			}
		}
		check(jobs.ReadTasks(t.Context(), nil, "-", bytes.NewReader(data)))
		check(jobs.ReadBatch(t.Context(), "-", bytes.NewReader(data)))
	})
}
