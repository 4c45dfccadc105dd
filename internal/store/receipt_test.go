package store_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/store"
	"lumaflow/test/storetest"
)

var receipt = storetest.Receipt

func TestReceipt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	opened := open(t, dir)
	_, err := opened.PutReceipt(t.Context(), "r.json", receipt())
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(dir, "r.json"))
	require.NoError(t, err)
	assert.NotContains(t, string(text), "secret")
	assert.Contains(t, string(text), "Snow <at> night & day", "no HTML escapes")
	var fields map[string]any
	require.NoError(t, json.Unmarshal(text, &fields))
	assert.ElementsMatch(t, []string{"version", "job", "run", "taskId", "prompt", "sourceUrl", "sourceSha256", "submitAttempts", "wokenBy",
		"submittedAt", "completedAt", "files"}, keys(fields))
	file := fields["files"].([]any)[0].(map[string]any)
	assert.ElementsMatch(t, []string{"name", "location", "urlHost", "etag", "bytes", "sha256", "duration", "width", "height"}, keys(file))

	assert.Equal(t, []string{"r.json"}, entries(t, dir))
	assert.Equal(t, fs.FileMode(0o644), mode(t, filepath.Join(dir, "r.json")))
}

// The source of a receipt is a file entry or the reason why there is none.
func TestReceiptSource(t *testing.T) {
	t.Parallel()
	file := receipt().Files[0]
	file.Name = "luma_source_t.mp4"
	tests := map[string]struct {
		source *store.ReceiptSource
		fields []string
		listed int
	}{
		"not kept": {nil, nil, 1},
		"stored":   {&store.ReceiptSource{ReceiptFile: &file}, []string{"name", "location", "urlHost", "etag", "bytes", "sha256", "duration", "width", "height"}, 2},
		"missing":  {&store.ReceiptSource{Missing: "HTTP 404"}, []string{"missing"}, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			opened := open(t, dir)
			put := receipt()
			put.Source = test.source
			_, err := opened.PutReceipt(t.Context(), "r.json", put)
			require.NoError(t, err)
			read, err := opened.Receipt(t.Context(), "r.json")
			require.NoError(t, err)
			assert.Equal(t, test.source, read.Source)
			assert.Len(t, read.Listed(), test.listed)
			assert.Len(t, read.Files, 1)
			text, err := os.ReadFile(filepath.Join(dir, "r.json"))
			require.NoError(t, err)
			var fields struct{ Source map[string]any }
			require.NoError(t, json.Unmarshal(text, &fields))
			assert.ElementsMatch(t, test.fields, keys(fields.Source))
		})
	}
}

func TestReceiptRejected(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*store.Receipt){
		"no task":       func(r *store.Receipt) { r.TaskID = "" },
		"way out":       func(r *store.Receipt) { r.Files[0].Name = "../x.mp4" },
		"absolute":      func(r *store.Receipt) { r.Files[0].Name = "/etc/passwd" },
		"hidden":        func(r *store.Receipt) { r.Files[0].Name = ".x.mp4" },
		"no name":       func(r *store.Receipt) { r.Files[0].Name = "" },
		"negative size": func(r *store.Receipt) { r.Files[0].Bytes = -1 },
		"no hash":       func(r *store.Receipt) { r.Files[0].SHA256 = "" },
		"other hash":    func(r *store.Receipt) { r.Files[0].SHA256 = strings.Repeat("AB", 32) },
		"empty source":  func(r *store.Receipt) { r.Source = &store.ReceiptSource{} },
		"both sources":  func(r *store.Receipt) { r.Source = &store.ReceiptSource{ReceiptFile: &r.Files[0], Missing: "gone"} },
		"source way out": func(r *store.Receipt) {
			r.Source = &store.ReceiptSource{ReceiptFile: &store.ReceiptFile{Name: "../x", SHA256: r.Files[0].SHA256}}
		},
		"over the limit":   func(r *store.Receipt) { r.Prompt = strings.Repeat("x", 1<<20) },
		"newer":            func(r *store.Receipt) { r.Version = 2 },
		"not a receipt":    nil,
		"empty":            nil,
		"two of them":      nil,
		"over in spaces":   nil,
		"types of another": nil,
	}
	texts := map[string]string{
		"not a receipt":    `{"a":1}`,
		"empty":            ``,
		"two of them":      `{"version":1,"taskId":"t"}{"version":1,"taskId":"t"}`,
		"over in spaces":   `{"version":1,"taskId":"t"}` + strings.Repeat(" ", 1<<20),
		"types of another": `{"version":1,"taskId":7}`,
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			opened := open(t, dir)
			text := []byte(texts[name])
			if change != nil {
				changed := receipt()
				changed.Version = 1
				change(&changed)
				if name != "newer" {
					_, err := opened.PutReceipt(t.Context(), "r.json", changed)
					require.Error(t, err)
					assert.Empty(t, entries(t, dir))
				}
				var err error
				text, err = json.Marshal(changed)
				require.NoError(t, err)
			}
			require.NoError(t, os.WriteFile(filepath.Join(dir, "r.json"), text, 0o600))
			_, err := opened.Receipt(t.Context(), "r.json")
			require.Error(t, err)
			require.NotErrorIs(t, err, fs.ErrNotExist)
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestReceiptNotReadable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	opened := open(t, dir)
	require.NoError(t, os.Symlink("/etc/hostname", filepath.Join(dir, "r.json")))
	_, err := opened.Receipt(t.Context(), "r.json")
	require.Error(t, err)
	require.NotErrorIs(t, err, fs.ErrNotExist)

	require.NoError(t, os.RemoveAll(dir))
	_, err = opened.Receipt(t.Context(), "r.json")
	require.Error(t, err)
	assert.NotErrorIs(t, err, fs.ErrNotExist, "a missing folder is no missing receipt")
}

func TestSourceURLs(t *testing.T) {
	t.Parallel()
	opened := open(t, t.TempDir())
	for in, want := range map[string]string{
		"":                                 "",
		"https://example.org/in.mp4":       "https://example.org/in.mp4",
		"https://example.org:8443/a%2Fb":   "https://example.org:8443/a%2Fb",
		"https://example.org/in.mp4?token": "https://example.org/in.mp4",
		"https://example.org/in.mp4?":      "https://example.org/in.mp4",
		"http://[::1?secret":               "",
		"mailto:secret":                    "",
	} {
		_, err := opened.PutReceipt(t.Context(), "r.json", store.Receipt{TaskID: "t", SourceURL: in})
		require.NoError(t, err)
		got, err := opened.Receipt(t.Context(), "r.json")
		require.NoError(t, err)
		assert.Equal(t, want, got.SourceURL, in)
	}
}

func keys(fields map[string]any) []string {
	var names []string
	for name := range fields {
		names = append(names, name)
	}
	return names
}
