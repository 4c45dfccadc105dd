package audit_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/cli/audit"
	"lumaflow/internal/command"
	storeaudit "lumaflow/internal/store/audit"
	"lumaflow/test/storetest"
)

// printed runs a command and returns its standard output. The command must leave
// standard error empty: main prints the returned error there.
func printed(t *testing.T, run func(command.Streams) error) (string, error) {
	t.Helper()
	var out, errs bytes.Buffer
	err := run(command.Streams{In: strings.NewReader(""), Out: &out, Err: &errs})
	assert.Empty(t, errs.String(), "no bar without a terminal")
	if err != nil {
		assert.NotContains(t, err.Error(), "\n")
	}
	return out.String(), err
}

func TestTable(t *testing.T) {
	t.Parallel()
	shelf := storetest.NewFolder(t)
	audited := func() (string, error) {
		return printed(t, func(streams command.Streams) error {
			return (&audit.Command{OutputURL: shelf.Path, Grace: grace}).Run(t.Context(), streams)
		})
	}
	out, err := audited()
	require.NoError(t, err)
	assert.Equal(t, "there are no receipts: nothing was audited\n", out)

	shelf.Job("t", strings.Repeat("v", 100_000))
	out, err = audited()
	require.NoError(t, err)
	assert.Equal(t, "audited 1 receipt and 1 file (100 kB): all is as it was stored\n", out)

	shelf.Video("luma_result_y_1.mp4", "young")
	shelf.Age("luma_result_y_1.mp4", 90*time.Second+time.Second/2)
	out, err = audited()
	require.NoError(t, err, "a pending video is no problem")
	assert.Equal(t, `FOUND    FILE                 TASK  DETAIL
pending  luma_result_y_1.mp4  -     stored 1m30s ago, its receipt may still come
audited 1 receipt and 1 file (100 kB): all is as it was stored
`, out)

	shelf.Write(video, "short")
	shelf.Write("\x1b[2Jodd\nname", "short")
	out, err = audited()
	assert.Equal(t, `FOUND      FILE                 TASK  DETAIL
unlisted   [2Jodd name          -     no receipt lists it; "\x1b[2Jodd\nname" is no plain file name
truncated  luma_result_t_1.mp4  t     5 of 100000 bytes are there
pending    luma_result_y_1.mp4  -     stored 1m30s ago, its receipt may still come
audited 1 receipt and 1 file (5 B)
`, out)
	require.EqualError(t, err, "2 problems: 1 truncated, 1 unlisted. Next: put back what you have a copy of, and move elsewhere what no job stored; "+
		"while kie.ai keeps a task's media (14 days), lumaflow submit --task-id TASK --key again, with the --name it had, collects it once more, free of charge")
	assert.Equal(t, command.ExitFailed, command.ExitCode(err))
}

func TestJSON(t *testing.T) {
	t.Parallel()
	shelf := storetest.NewFolder(t)
	audited := func() (string, error) {
		return printed(t, func(streams command.Streams) error {
			return (&audit.Command{OutputURL: "file://" + shelf.Path, Grace: grace, JSON: true}).Run(t.Context(), streams)
		})
	}
	out, err := audited()
	require.NoError(t, err)
	assert.JSONEq(t, `{"receipts":0,"files":0,"bytes":0,"complete":true,"problems":[],"notes":[]}`, out)

	shelf.Job("t", "video")
	shelf.Remove(video)
	shelf.Video("luma_result_y_1.mp4", "young")
	shelf.Age("luma_result_y_1.mp4", 90*time.Second+time.Second/2)
	out, err = audited()
	require.Error(t, err)
	assert.Equal(t, command.ExitFailed, command.ExitCode(err))
	assert.JSONEq(t, `{"receipts":1,"files":1,"bytes":0,"complete":true,
		"problems":[{"kind":"missing","file":"luma_result_t_1.mp4","receipt":"luma_result_t.json","taskId":"t","detail":"luma_result_t.json lists it"}],
		"notes":[{"kind":"pending","file":"luma_result_y_1.mp4","detail":"stored 1m30s ago, its receipt may still come"}]}`, out)
}

func TestUsageErrors(t *testing.T) {
	t.Parallel()
	nowhere := filepath.Join(t.TempDir(), "nowhere")
	tests := []struct {
		name    string
		command audit.Command
		code    int
		want    string
	}{
		{"no store", audit.Command{OutputURL: ""}, command.ExitUsage, "OUTPUT_URL"},
		{"an unknown kind of store", audit.Command{OutputURL: "ftp://secret"}, command.ExitUsage, "OUTPUT_URL"},
		{"a missing folder", audit.Command{OutputURL: nowhere}, command.ExitFailed, nowhere + " can't be read (no such file or directory)"},
		{"a negative --parallel", audit.Command{OutputURL: nowhere, Parallel: -1}, command.ExitUsage, "--parallel"},
		{"a --parallel above the limit", audit.Command{OutputURL: nowhere, Parallel: 257}, command.ExitUsage, "--parallel"},
		{"a negative --grace", audit.Command{OutputURL: nowhere, Grace: -1}, command.ExitUsage, "--grace"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			out, err := printed(t, func(streams command.Streams) error { return test.command.Run(t.Context(), streams) })
			require.ErrorContains(t, err, test.want)
			assert.NotContains(t, err.Error(), "secret")
			assert.Equal(t, test.code, command.ExitCode(err))
			assert.Empty(t, out)
			assert.NoDirExists(t, nowhere)
		})
	}
}

// An interrupted audit prints its findings so far.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	shelf := storetest.NewFolder(t)
	shelf.Job("a", "video")
	shelf.Job("b", "video")
	shelf.Remove("luma_result_a_1.mp4")
	audited := func(json bool, onOpen func() error) (string, error) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		onB := storetest.Hooked{Store: shelf, OnOpen: func(name string) (io.ReadCloser, error) {
			if name != "luma_result_b_1.mp4" {
				return nil, nil
			}
			cancel()
			return &storetest.Endless{}, onOpen()
		}}
		return printed(t, func(streams command.Streams) error {
			return (&audit.Command{Parallel: 1, JSON: json}).RunOn(ctx, onB, streams)
		})
	}
	out, err := audited(false, func() error { return nil })
	require.EqualError(t, err, "the audit was interrupted after it found 1 problem: 1 missing; there may be more")
	assert.Equal(t, `FOUND    FILE                 TASK  DETAIL
missing  luma_result_a_1.mp4  a     luma_result_a.json lists it
looked at 2 receipts and 1 file (262 kB) before it ended
`, out)
	out, err = audited(true, func() error { return nil })
	require.Error(t, err)
	assert.Contains(t, out, `"complete": false`)
	assert.Contains(t, out, `"luma_result_a_1.mp4"`)

	_, err = audited(false, func() error { return errors.New("too late") })
	require.ErrorContains(t, err, "interrupted", "a failure after Ctrl-C is no finding")
	assert.NotContains(t, err.Error(), "too late")
}

// full is a writer that fails as a full disk does.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestPrintErrorIsReturned(t *testing.T) {
	t.Parallel()
	shelf := storetest.NewFolder(t)
	shelf.Job("t", "video")
	for _, json := range []bool{false, true} {
		err := (&audit.Command{OutputURL: shelf.Path, JSON: json}).Run(t.Context(), command.Streams{Out: full{}, Err: io.Discard})
		require.ErrorContains(t, err, "no space left on device")
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "3 of 10 receipts", audit.Summary(storeaudit.Progress{Receipts: 3, AllReceipts: 10}))
	assert.Equal(t, "500 MB of 2.0 GB, 1 problem", audit.Summary(storeaudit.Progress{Receipts: 10, AllReceipts: 10, Bytes: 500_000_000, AllBytes: 2_000_000_000, Problems: 1}))
}

// Every line fits 100 columns; --json has the names and ids whole.
func TestTableFits100Columns(t *testing.T) {
	t.Parallel()
	const task = "0123456789abcdef0123456789abcdef"
	shelf := storetest.NewFolder(t)
	shelf.Job(task, "video")
	shelf.Remove("luma_result_" + task + "_1.mp4")
	shelf.Write(strings.Repeat("x", 200)+"\n.mp4", "video")
	audited := func(json bool) string {
		out, err := printed(t, func(streams command.Streams) error {
			return (&audit.Command{OutputURL: shelf.Path, Grace: grace, JSON: json}).Run(t.Context(), streams)
		})
		require.Error(t, err)
		return out
	}
	table := audited(false)
	assert.Contains(t, table, "0123…cdef.json lists it")
	for line := range strings.Lines(table) {
		assert.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), 100, line)
	}
	assert.Contains(t, audited(true), `"luma_result_`+task+`_1.mp4"`)
}
