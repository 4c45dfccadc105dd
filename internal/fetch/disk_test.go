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

// limitFiles limits the size of the files that this process writes. A write beyond
// it fails, as on a full disk.
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
	server := newOrigin(t, compliant(data, etag))
	workDir := t.TempDir()
	limit := 3*fetch.CheckpointEvery + 5000

	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(),
		childLink+"="+server.link(), childWorkDir+"="+workDir, childFileLimit+"="+strconv.Itoa(limit))
	output, err := child.CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(output), "disk: download from")
	assert.Contains(t, string(output), "file too large")
	assert.NotContains(t, string(output), secret)

	// Without the limit the download is resumed.
	fetcher := newFetcher(t, func(o *fetch.Options) { o.WorkDir = workDir })
	file, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
	require.NoError(t, err)
	assert.Equal(t, sum(data), file.SHA256)
	ranges := server.ranges()
	var from int
	_, err = fmt.Sscanf(ranges[len(ranges)-1], "bytes=%d-", &from)
	require.NoError(t, err)
	assert.Greater(t, from, limit-2*fetch.CheckpointEvery)
	require.NoError(t, file.Discard())
}
