package store_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"lumaflow/internal/store"
)

func TestNames(t *testing.T) {
	t.Parallel()
	const id = "0123456789abcdef0123456789abcdef"
	assert.Equal(t, "luma_result_"+id+"_1.mp4", store.VideoName("", id, 1, ".mp4"))
	assert.Equal(t, "luma_result_"+id+"_12.mov", store.VideoName("", id, 12, ".mov"))
	assert.Equal(t, "luma_result_"+id+".json", store.ReceiptName("", id))
	assert.Equal(t, "beach_luma_result_"+id+"_1.mp4", store.VideoName("beach", id, 1, ".mp4"))
	assert.Equal(t, "beach_luma_result_"+id+".json", store.ReceiptName("beach", id))
	assert.Equal(t, "luma_result_veo_task.A-1_1.mp4", store.VideoName("", "veo_task.A-1", 1, ".mp4"))
	assert.Equal(t, "luma_result_.._1.mp4", store.VideoName("", "..", 1, ".mp4"), "not a path element")
	for _, extension := range []string{"", ".json", ".exe", "/../x", ".mp4/x"} {
		assert.Equal(t, "luma_result_"+id+"_1.mp4", store.VideoName("", id, 1, extension))
	}

	assert.Equal(t, "shot_12_luma_result_"+id+"_1.mp4", store.VideoName("shot 12", id, 1, ".mp4"))
	assert.Equal(t, "shot_12_luma_result_"+id+".json", store.ReceiptName("shot 12", id))

	for _, test := range []struct{ prefix, taskID, want string }{
		{"my film!", id, "my_film__luma_result_" + id + "~"},
		{"my\tfilm", id, "my_film_luma_result_" + id + "~"},
		{"luma result", id, "luma_result_luma_result_" + id + "~"},
		{"", "a b", "luma_result_a_b~"},
		{"", "../../etc/passwd", "luma_result_.._.._etc_passwd~"},
		{"../..", id, "_._.._luma_result_" + id + "~"},
		{".hidden", id, "_hidden_luma_result_" + id + "~"},
		{"-rf", id, "_rf_luma_result_" + id + "~"},
		{"", "", "luma_result_~"},
		{"", "a\x00b", "luma_result_a_b~"},
		{"", `a\b`, "luma_result_a_b~"},
		{"", "a~b", "luma_result_a_b~"},
		{"", "täsk", "luma_result_t_sk~"},
		{"", "a\xffb", "luma_result_a_b~"},
		{"luma_result", id, "luma_result_luma_result_" + id + "~"},
		{"", "x_luma_result_y", "luma_result_x_luma_result_y~"},
		{"", strings.Repeat("a", 101), "luma_result_" + strings.Repeat("a", 100) + "~"},
		{strings.Repeat("p", 61), id, strings.Repeat("p", 60) + "_luma_result_" + id + "~"},
	} {
		name := store.VideoName(test.prefix, test.taskID, 1, ".mp4")
		rest, found := strings.CutPrefix(name, test.want)
		require.True(t, found, name)
		assert.Regexp(t, `^[0-9a-f]{16}_1\.mp4$`, rest)
	}
}

// For every prefix and task id the name stays in the folder, is visible, is not
// too long, and belongs to one task.
func TestNamesProperties(t *testing.T) {
	t.Parallel()
	part := rapid.OneOf(
		rapid.String(),
		rapid.StringMatching(`[a-c ._~-]{0,6}`),
		rapid.StringMatching(`(a|_|luma_result_|luma_result|/){0,3}`),
		rapid.StringN(60, 300, -1),
	)
	rapid.Check(t, func(t *rapid.T) {
		type task struct {
			prefix, id string
			n          int
		}
		draw := func(label string) task {
			return task{part.Draw(t, label+" prefix"), part.Draw(t, label+" id"), rapid.IntRange(1, 1<<62).Draw(t, label+" n")}
		}
		one, two := draw("one"), draw("two")
		names := map[string]bool{}
		for _, x := range []task{one, two} {
			for _, name := range []string{store.VideoName(x.prefix, x.id, x.n, ".mp4"), store.ReceiptName(x.prefix, x.id)} {
				if name != filepath.Base(name) || !filepath.IsLocal(name) || strings.HasPrefix(name, ".") || len(name) > 255 {
					t.Fatalf("unsafe name %q", name)
				}
				if strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-~") != "" {
					t.Fatalf("odd character in %q", name)
				}
				names[name] = true
			}
			video, receipt := store.VideoName(x.prefix, x.id, x.n, ".mov"), store.ReceiptName(x.prefix, x.id)
			if listedIn, ok := store.ReceiptNameOf(video); !ok || listedIn != receipt {
				t.Fatalf("%s is listed in %s, not in %s", video, receipt, listedIn)
			}
			if _, ok := store.ReceiptNameOf(receipt); ok || store.IsReceiptName(video) || !store.IsReceiptName(receipt) {
				t.Fatalf("%s or %s is taken for the other", video, receipt)
			}
		}
		want := 4
		unhashed := !strings.Contains(store.ReceiptName(one.prefix, one.id), "~")
		if one.id == two.id && (one.prefix == two.prefix || unhashed && blanksReplaced(one.prefix) == blanksReplaced(two.prefix)) {
			want = 3
			if one.n == two.n {
				want = 2
			}
		}
		if len(names) != want {
			t.Fatalf("%+v and %+v share a name: %v", one, two, names)
		}
	})
}

// blanksReplaced is the part of a prefix that names without a hash preserve.
func blanksReplaced(prefix string) string { return strings.ReplaceAll(prefix, " ", "_") }
