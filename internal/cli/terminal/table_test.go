package terminal_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/mattn/go-runewidth"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/cli/terminal"
)

const taskID = "0123456789abcdef0123456789abcdef"

// A table that is too wide shortens ids before file names and sentences.
func TestTableIsShortened(t *testing.T) {
	titles := []string{"FOUND", "FILE", "TASK", "DETAIL"}
	file := "luma_result_" + taskID + "_1.mp4"
	const short = "luma_result_0123…cdef_1.mp4"
	for _, test := range []struct {
		name, file, task, detail, want string
	}{
		{"it fits", file, "t", "gone", "changed  " + file + "  t     gone"},
		{"ids in names", file, "t", "its bytes are not those that were stored",
			"changed  " + short + "  t     its bytes are not those that were stored"},
		{"ids", file, taskID, "its bytes are not those that were stored",
			"changed  " + short + "  0123456789…789abcdef  its bytes are not those that were stored"},
		{"ids in sentences", file, taskID, "luma_result_" + taskID + ".json lists it",
			"changed  " + short + "  0123456789ab…456789abcdef  luma_result_0123…cdef.json lists it"},
		{"long name", strings.Repeat("take-", 99), taskID, "gone", ""},
		{"long sentence", file, taskID, strings.Repeat("no such device ", 30), ""},
		{"wide letters", strings.Repeat("雪", 99), strings.Repeat("雪", 99), strings.Repeat("雪", 99), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			cells := []string{"changed", test.file, test.task, test.detail}
			require.NoError(t, terminal.WriteTable(&out, titles, []terminal.Row{{Cells: cells}}))
			lines := strings.Split(out.String(), "\n")
			if test.want != "" {
				require.Equal(t, test.want, lines[1])
			}
			for _, line := range lines {
				require.LessOrEqual(t, runewidth.StringWidth(line), 100, line)
			}
			require.Equal(t, test.file, cells[1], "the cells of the caller stay as they are")
		})
	}
}

func TestShorten(t *testing.T) {
	for _, test := range []struct {
		text  string
		width int
		want  string
	}{
		{"luma", 4, "luma"},
		{"luma-0123456789", 9, "luma…6789"},
		{"luma-0123456789", 8, "luma…789"},
		{"雪雪雪雪雪雪", 8, "雪雪… 雪"},
	} {
		require.Equal(t, test.want, terminal.Shorten(test.text, test.width))
	}
}
