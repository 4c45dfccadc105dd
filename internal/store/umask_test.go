//go:build unix

package store_test

import (
	"io/fs"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Not parallel: the umask applies to the whole process.
func TestUmask(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	dir := t.TempDir()
	opened := open(t, dir)
	_, err := opened.PutReceipt(t.Context(), "r.json", receipt())
	require.NoError(t, err)
	_, err = opened.PutVideo(t.Context(), name, source(t, t.TempDir(), []byte("video")))
	require.NoError(t, err)
	for _, file := range []string{"r.json", name} {
		assert.Equal(t, fs.FileMode(0o644), mode(t, filepath.Join(dir, file)), file)
	}
}
