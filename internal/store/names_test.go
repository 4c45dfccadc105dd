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

	assert.Equal(t, "luma_source_"+id+".mp4", store.SourceName("", id, ".mp4"))
	assert.Equal(t, "shot_12_luma_source_"+id+".mov", store.SourceName("shot 12", id, ".mov"))
	assert.Equal(t, "luma_source_"+id+".avi", store.SourceName("", id, ".avi"))
	assert.Equal(t, "luma_source_"+id+".mp4", store.SourceName("", id, "/../x"))
	assert.Regexp(t, "^luma_source_.._.._etc_passwd~[0-9a-f]{16}.mp4$", store.SourceName("", "../../etc/passwd", ".mp4"))
	assert.NotEqual(t, store.SourceName("", "luma_source_1", ".mp4"), store.SourceName("luma_source", "1", ".mp4"))
	for name, want := range map[string]bool{
		"luma_source_x.mp4": true, "a_luma_source_x.mov": true, "luma_result_x_1.mp4": false, "luma_result_luma_source_x~00_1.mp4": false,
		"luma_source_x.json": false, "xluma_source_x.mp4": false, "luma_source_x.txt": false,
	} {
		assert.Equal(t, want, store.IsSourceName(name), name)
	}

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
		{"luma_source", id, "luma_source_luma_result_" + id + "~"},
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
		rapid.StringMatching(`(a|_|luma_result_|luma_source_|luma_result|/){0,3}`),
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
		names, sources := map[string]bool{}, map[string]bool{}
		for _, x := range []task{one, two} {
			for _, name := range []string{store.VideoName(x.prefix, x.id, x.n, ".mp4"), store.ReceiptName(x.prefix, x.id), store.SourceName(x.prefix, x.id, ".avi")} {
				if name != filepath.Base(name) || !filepath.IsLocal(name) || strings.HasPrefix(name, ".") || len(name) > 255 {
					t.Fatalf("unsafe name %q", name)
				}
				if strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-~") != "" {
					t.Fatalf("odd character in %q", name)
				}
				if store.IsSourceName(name) {
					sources[name] = true
				} else {
					names[name] = true
				}
			}
			video, receipt := store.VideoName(x.prefix, x.id, x.n, ".mov"), store.ReceiptName(x.prefix, x.id)
			if listedIn, ok := store.ReceiptNameOf(video); !ok || listedIn != receipt {
				t.Fatalf("%s is listed in %s, not in %s", video, receipt, listedIn)
			}
			listedIn, ok := store.ReceiptNameOf(store.SourceName(x.prefix, x.id, ".mov"))
			if !ok || listedIn != receipt && !strings.Contains(x.id, "luma_source_") {
				t.Fatalf("the source is listed in %s, not in %s", receipt, listedIn)
			}
			if _, ok := store.ReceiptNameOf(receipt); ok || store.IsReceiptName(video) || !store.IsReceiptName(receipt) {
				t.Fatalf("%s or %s is taken for the other", video, receipt)
			}
		}
		want, wantSources := 4, 2
		unhashed := !strings.Contains(store.ReceiptName(one.prefix, one.id), "~")
		if one.id == two.id && (one.prefix == two.prefix || unhashed && blanksReplaced(one.prefix) == blanksReplaced(two.prefix)) {
			want, wantSources = 3, 1
			if one.n == two.n {
				want = 2
			}
		}
		if len(names) != want || len(sources) != wantSources {
			t.Fatalf("%+v and %+v share a name: %v %v", one, two, names, sources)
		}
	})
}

// blanksReplaced is the part of a prefix that names without a hash preserve.
func blanksReplaced(prefix string) string { return strings.ReplaceAll(prefix, " ", "_") }
