package store_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/store"
)

// FuzzNames compares the names of two tasks. Every name is that of one visible,
// plain file that a store accepts, has the extension of its kind, and belongs to
// one task and one number. Names without a hash are equal for prefixes that differ
// only in blank and _. Names differ only in case if prefixes, task ids and numbers
// do.
//
//	go test ./internal/store -run '^$' -fuzz '^FuzzNames$' -fuzztime 10m
func FuzzNames(f *testing.F) {
	const id = "0123456789abcdef0123456789abcdef"
	f.Add("", id, 1, "", id, 2, ".mp4")
	f.Add("", "x", 1, "", "x_1", 1, ".mov")
	f.Add("a", "bc", 1, "ab", "c", 1, ".json")
	f.Add("../..", "/etc/passwd", -1, `..\..`, "C:", 1<<62, "/../x")
	f.Add(".hidden", "\x00", 1, "-rf", "\xff", 1, "")
	f.Add("luma_result_x", "y", 1, "", "x_luma_result_y", 1, ".mp4")
	f.Add("luma_source", "y", 1, "", "luma_source_y", 1, ".avi")
	f.Add("LUMA_RESULT_x", "y", 1, "", "x_LUMA_RESULT_y", 1, ".mp4")
	f.Add(strings.Repeat("p", 60), strings.Repeat("a", 100), 1, strings.Repeat("p", 61), strings.Repeat("a", 101), 1, ".mp4")
	f.Add("shot 12", id, 1, "shot_12", id, 1, ".mp4")
	f.Add("shot 12!", id, 1, "shot_12!", id, 1, ".mp4")
	f.Add("Beach", "ABC", 1, "beach", "abc", 1, ".MOV")
	f.Add("a~0123456789abcdef", "K", 1, "ſ", "\u212a", 1, ".mp4")
	videos, err := store.Open(f.Context(), f.TempDir())
	require.NoError(f, err)

	f.Fuzz(func(t *testing.T, prefix1, id1 string, n1 int, prefix2, id2 string, n2 int, extension string) {
		wanted := ".mp4"
		if extension == ".mov" {
			wanted = ".mov"
		}
		video1, receipt1 := store.VideoName(prefix1, id1, n1, extension), store.ReceiptName(prefix1, id1)
		video2, receipt2 := store.VideoName(prefix2, id2, n2, extension), store.ReceiptName(prefix2, id2)
		for name, ending := range map[string]string{video1: wanted, video2: wanted, receipt1: ".json", receipt2: ".json"} {
			if name != filepath.Base(name) || strings.Trim(name, plainLetters) != "" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "-") {
				t.Errorf("unsafe name %q", name)
			}
			if len(name) > 255 || !strings.HasSuffix(name, ending) || !strings.Contains(name, "luma_result_") {
				t.Errorf("name %q", name)
			}
			if _, exists, err := videos.Matches(t.Context(), name, 0, ""); err != nil || exists {
				t.Errorf("the store rejects %q: %v", name, err)
			}
		}
		source1, source2 := store.SourceName(prefix1, id1, extension), store.SourceName(prefix2, id2, extension)
		if !strings.Contains(receipt1, "~") {
			prefix1 = blanksReplaced(prefix1)
		}
		if !strings.Contains(receipt2, "~") {
			prefix2 = blanksReplaced(prefix2)
		}
		sameTask := strings.EqualFold(prefix1, prefix2) && strings.EqualFold(id1, id2)
		if strings.EqualFold(source1, source2) && !sameTask || strings.EqualFold(source1, video2) || strings.EqualFold(source1, receipt2) || len(source1) > 255 {
			t.Errorf("(%q, %q) and (%q, %q): %s and %s, %s, %s", prefix1, id1, prefix2, id2, source1, source2, video2, receipt2)
		}
		if strings.EqualFold(video1, video2) && (!sameTask || n1 != n2) || strings.EqualFold(receipt1, receipt2) && !sameTask {
			t.Errorf("(%q, %q, %d) and (%q, %q, %d) share a name: %s", prefix1, id1, n1, prefix2, id2, n2, video1)
		}
		exactly := prefix1 == prefix2 && id1 == id2
		if (receipt1 == receipt2) != exactly || (video1 == video2) != (exactly && n1 == n2) {
			t.Errorf("(%q, %q, %d) and (%q, %q, %d): %s and %s", prefix1, id1, n1, prefix2, id2, n2, video1, video2)
		}
	})
}

const plainLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-~"

// FuzzAnyName opens a file of any name: the store accesses only plain, visible
// files of its folder and rejects all other names.
func FuzzAnyName(f *testing.F) {
	for _, name := range []string{"a.mp4", "", ".", "..", "../x", "a/b", `a\b`, ".hidden", "/etc/passwd", "a\x00b", "a\nb", "\xff", "~", strings.Repeat("a", 256)} {
		f.Add(name)
	}
	videos, err := store.Open(f.Context(), f.TempDir())
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, name string) {
		if file, err := videos.Open(t.Context(), name); err == nil {
			t.Errorf("%q was opened", name)
			_ = file.Close()
		}
		location, exists, err := videos.Matches(t.Context(), name, 0, "")
		if exists || location != "" {
			t.Errorf("%q has location %s", name, location)
		}
		plain := name != "" && name == filepath.Base(name) && !strings.ContainsAny(name, "/\\\x00") && name[0] != '.' && len(name) <= 255
		if err == nil && !plain {
			t.Errorf("%q was accepted", name)
		}
	})
}
