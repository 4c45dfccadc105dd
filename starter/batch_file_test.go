package starter_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/manifest"
	"lumaflow/internal/oneline"
	"lumaflow/starter"
	"lumaflow/workflows/batches"
)

// The id is that of the bytes and the key, and inline items are bounded in number and
// in bytes, as they are sent.
func TestReadBatch(t *testing.T) {
	read := func(text string) starter.BatchFile {
		t.Helper()
		file, err := starter.ReadBatch(strings.NewReader(text), false)
		require.NoError(t, err)
		return file
	}
	one := read(`{"taskId":"t"}`)
	require.Regexp(t, "^batch-[0-9a-f]{32}$", one.ID(""))
	require.Equal(t, one.ID(""), read(`{"taskId":"t"}`).ID(""))
	require.NotEqual(t, one.ID(""), one.ID("k"))
	require.NotEqual(t, one.ID(""), read(`{"taskId":"t"}`+"\n").ID(""))

	many := func(count int, prompt string) string {
		var lines strings.Builder
		for i := range count {
			fmt.Fprintf(&lines, `{"prompt":"%d%s","videoUrl":"https://example.org/in.mp4"}`+"\n", i, prompt)
		}
		return lines.String()
	}
	for name, test := range map[string]struct {
		text   string
		inline bool
	}{
		"as many as can be":       {many(batches.MaxItems, ""), true},
		"one more":                {many(batches.MaxItems+1, ""), false},
		"blank lines count":       {strings.Repeat("\n", batches.MaxItems) + many(1, ""), false},
		"too many bytes":          {many(300, strings.Repeat("x", 4000)), false},
		"too many bytes in JSON":  {many(60, strings.Repeat("<", 4000)), false},
		"as many bytes as can be": {many(200, strings.Repeat("x", 4000)), true},
	} {
		var input batches.Input
		inline, err := read(test.text).Inline(&input)
		require.NoError(t, err)
		require.Equal(t, test.inline, inline, name)
		if inline {
			require.NoError(t, input.Validate())
		}
	}
}

// Any file is read as jobs that can be sent, or rejected in one line.
func FuzzReadBatch(f *testing.F) {
	for _, seed := range []string{
		`{"prompt":"p","videoUrl":"https://x.example.org","key":"k"}`, `{"taskId":"t"}` + "\n\n" + `{"taskId":"t"}`, "null", "[1]", "{\"prompt\":", "\xff",
		"\ufeff{}", `{"key":{}}`, "prompt,videoUrl\nsnow,https://x.example.org\n", "taskId\n\"a\nb\"\n", "taskId,key\nt,\"\"\"\n",
	} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, csv bool) {
		file, err := starter.ReadBatch(bytes.NewReader(data), csv)
		if err != nil {
			require.Equal(t, oneline.Clean(err.Error()), err.Error(), "one plain line")
			return
		}
		var input batches.Input
		inline, err := file.Inline(&input)
		require.NoError(t, err)
		if !inline || file.Lines == 0 {
			return
		}
		require.NoError(t, input.Validate())
		lines, err := manifest.Encode(input.Items)
		require.NoError(t, err)
		again, err := starter.ReadBatch(bytes.NewReader(lines), false)
		require.NoError(t, err)
		require.Equal(t, file.Lines, again.Lines)
		require.Equal(t, file.Duplicates, again.Duplicates)
		require.Equal(t, input.SHA256, again.SHA256, "what the worker reads is what was checked")
	})
}
