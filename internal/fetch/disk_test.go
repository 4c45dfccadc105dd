//go:build darwin || linux

package fetch_test

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/fetch"
)

// limitFiles lets this process write no file beyond a size, which looks to it
// like a disk that fills up.
func limitFiles(text string) error {
	size, err := strconv.ParseUint(text, 10, 62)
	if err != nil {
		return err
	}
	signal.Ignore(syscall.SIGXFSZ)
	return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: size})
}

func TestDiskFull(t *testing.T) {
	t.Parallel()
	data := video(5*fetch.CheckpointEvery, 1)
	server := newOrigin(t, honest(data, etag))
	workDir := t.TempDir()
	room := 3*fetch.CheckpointEvery + 5000

	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(),
		victimLink+"="+server.link(), victimWorkDir+"="+workDir, victimRoom+"="+fmt.Sprint(room))
	said, err := child.CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(said), "disk: download from")
	assert.Contains(t, string(said), "file too large")
	assert.NotContains(t, string(said), secret)

	// There is room again.
	fetcher := newFetcher(t, func(o *fetch.Options) { o.WorkDir = workDir })
	file, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
	require.NoError(t, err)
	assert.Equal(t, sum(data), file.SHA256)
	asked := server.asked()
	var from int
	_, err = fmt.Sscanf(asked[len(asked)-1], "bytes=%d-", &from)
	require.NoError(t, err)
	assert.Greater(t, from, room-2*fetch.CheckpointEvery)
	require.NoError(t, file.Discard())
}
