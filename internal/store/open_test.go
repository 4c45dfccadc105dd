package store_test

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/store"
)

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	escaped := (&url.URL{Scheme: "file", Path: dir + "/with space & 100%?#"}).String()
	tests := []struct{ outputURL, want string }{
		{"./videos", "videos"},
		{"videos", "videos"},
		{"a/../b", "b"},
		{dir + "/absolute/deep", "absolute/deep"},
		{"colon:in it", "colon:in it"},
		{"100%25 literal", "100%25 literal"},
		{"file://" + dir + "/url", "url"},
		{"FILE://" + dir + "/upper", "upper"},
		{"file://localhost" + dir + "/local", "local"},
		{"file:" + dir + "/one-slash", "one-slash"},
		{escaped, "with space & 100%?#"},
		{"file://" + dir + "/a%2Fb", "a/b"},
	}
	for _, test := range tests {
		opened, err := store.Open(t.Context(), test.outputURL)
		require.NoError(t, err, test.outputURL)
		assert.DirExists(t, filepath.Join(dir, test.want), test.outputURL)
		require.NoError(t, opened.Check(t.Context()))
		location, err := opened.PutReceipt(t.Context(), "r.json", store.Receipt{TaskID: "t"})
		require.NoError(t, err)
		parsed, err := url.Parse(location)
		require.NoError(t, err)
		assert.Equal(t, &url.URL{Scheme: "file", Path: filepath.Join(dir, test.want, "r.json")},
			&url.URL{Scheme: parsed.Scheme, Host: parsed.Host, Path: parsed.Path, RawQuery: parsed.RawQuery, Fragment: parsed.Fragment})
	}
}

func TestOpenRejects(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	tests := []struct{ outputURL, text string }{
		{"", "empty"},
		{"a\x00b", "zero byte"},
		{"file:///a%00b", "zero byte"},
		{"file://videos/x", "three slashes"},
		{"file://10.0.0.1/videos", "three slashes"},
		{"file://user:secret@/videos", "three slashes"},
		{"file:videos", "absolute"},
		{"file://", "absolute"},
		{"file:///videos?secret=1", "? and #"},
		{"file:///videos?", "? and #"},
		{"file:///videos#part", "? and #"},
		{"file:///100%", "malformed"},
		{"s3://bucket?secret", "folder"},
		{"mem://secret", "folder"},
		{"https://user:secret@example.com/videos", "folder"},
		{file, "not a directory"},
		{file + "/below", "not a directory"},
	}
	for _, test := range tests {
		for _, open := range []func(context.Context, string) (store.Store, error){store.Open, store.OpenExisting} {
			_, err := open(t.Context(), test.outputURL)
			require.ErrorContains(t, err, "OUTPUT_URL", test.outputURL)
			require.ErrorContains(t, err, test.text, test.outputURL)
			assert.NotContains(t, err.Error(), "secret")
			assert.NotContains(t, err.Error(), "\n")
		}
	}

	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := store.Open(canceled, t.TempDir())
	require.ErrorIs(t, err, context.Canceled)
}

// OpenExisting creates no folder: a mistyped one would be empty and pass an audit.
func TestOpenExisting(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "videos")
	_, err := store.OpenExisting(t.Context(), dir)
	require.EqualError(t, err, "OUTPUT_URL: the folder "+dir+" can't be read (no such file or directory): name the folder that a worker stores videos in")
	require.NoDirExists(t, dir)

	stored := open(t, dir)
	_, err = stored.PutReceipt(t.Context(), "r.json", receipt())
	require.NoError(t, err)
	opened, err := store.OpenExisting(t.Context(), dir)
	require.NoError(t, err)
	_, err = opened.Receipt(t.Context(), "r.json")
	require.NoError(t, err)
}
