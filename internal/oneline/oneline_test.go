package oneline_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"lumaflow/internal/oneline"
)

func TestClean(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "a b [2J c", oneline.Clean(" a\r\nb \x1b[2J\x00c\xff "))
	assert.Equal(t, "生成失败", oneline.Clean("生成失败"))
	assert.Empty(t, oneline.Clean(" \n"))
}

func TestTruncate(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text  string
		limit int
		want  string
	}{
		{"a b", 3, "a b"},
		{" a\n\nb ", 3, "a b"},
		{"a bc", 3, "a b…"},
		{"ab cd", 3, "ab…"},
		{"ab \n", 2, "ab"},
		{"éé", 3, "é…"},
		{"é", 1, "…"},
		{"a", 0, "…"},
		{"", 0, ""},
	} {
		assert.Equal(t, test.want, oneline.Truncate(test.text, test.limit), "%q", test.text)
	}
}

func TestTruncateProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text, limit := rapid.String().Draw(t, "text"), rapid.IntRange(0, 40).Draw(t, "limit")
		line := oneline.Truncate(text, limit)
		kept, cut := strings.CutSuffix(line, "…")
		switch {
		case !utf8.ValidString(line), strings.ContainsFunc(line, unicode.IsControl), strings.TrimSpace(line) != line:
			t.Fatalf("%q is not one clean line", line)
		case cut && len(kept) > limit, !cut && len(line) > limit:
			t.Fatalf("%q is longer than %d bytes", line, limit)
		case !strings.HasPrefix(oneline.Clean(text), kept):
			t.Fatalf("%q is not the beginning of %q", line, oneline.Clean(text))
		}
	})
}
