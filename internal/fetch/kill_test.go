//go:build darwin || linux

package fetch_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/fetch"
)

const (
	childLink      = "LUMAFLOW_TEST_CHILD_LINK"
	childWorkDir   = "LUMAFLOW_TEST_CHILD_WORK_DIR"
	childFileLimit = "LUMAFLOW_TEST_CHILD_FILE_LIMIT"
)

// runChild is the main function of a child process: it downloads a file and writes
// a line for each progress report.
func runChild(link, workDir string) int {
	// strace counts the system calls of each thread.
	runtime.LockOSThread()
	fetcher, err := fetch.New(fetch.Options{WorkDir: workDir, AllowPrivate: true})
	if limit := os.Getenv(childFileLimit); err == nil && limit != "" {
		err = limitFiles(limit)
	}
	if err == nil {
		_, err = fetcher.Fetch(context.Background(), fetch.Request{URL: link, Key: key, Progress: func(done, _ int64) {
			fmt.Println(done)
		}})
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%v: %v\n", fetch.KindOf(err), err)
		return 1
	}
	return 0
}

// killAt runs a child process and kills it with SIGKILL when it has reported done
// bytes. It returns whether the child was still running.
func killAt(t *testing.T, link, workDir string, done int64) bool {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), childLink+"="+link, childWorkDir+"="+workDir)
	var stderr strings.Builder
	child.Stderr = &stderr
	stdout, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		var at int64
		_, err := fmt.Sscan(lines.Text(), &at)
		require.NoError(t, err)
		if at >= done {
			require.NoError(t, child.Process.Kill())
			break
		}
	}
	err = child.Wait()
	require.Empty(t, stderr.String())
	return err != nil
}

func TestKilledDownloadIsResumed(t *testing.T) {
	t.Parallel()
	data := video(5*fetch.CheckpointEvery, 1)
	sent := 3*fetch.CheckpointEvery + 12345
	server := newOrigin(t, stallAfter(data, sent), compliant(data, etag))
	workDir := t.TempDir()

	require.True(t, killAt(t, server.link(), workDir, int64(sent)))

	fetcher := newFetcher(t, func(o *fetch.Options) { o.WorkDir = workDir })
	file, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
	require.NoError(t, err)
	assert.Equal(t, sum(data), file.SHA256)
	require.NoError(t, file.Discard())

	var from int
	requested := server.ranges()[1]
	_, err = fmt.Sscanf(requested, "bytes=%d-", &from)
	require.NoError(t, err, requested)
	assert.Greater(t, from, 2*fetch.CheckpointEvery, "at most the bytes of one checkpoint are fetched twice")
	assert.LessOrEqual(t, from, sent)
}

// After a kill at any moment the next attempt completes the right bytes.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	const rounds = 12
	random := rand.New(rand.NewPCG(1, 2))
	data, other := video(4*fetch.CheckpointEvery, 1), video(4*fetch.CheckpointEvery, 2)
	workDir := t.TempDir()
	fetcher := newFetcher(t, func(o *fetch.Options) { o.WorkDir = workDir })
	killed, resumed := 0, 0
	for round := range rounds {
		server := newOrigin(t, compliant(data, etag))
		if killAt(t, server.link(), workDir, random.Int64N(int64(len(data)))) {
			killed++
		}
		if round%3 == 2 {
			// The file changes before the next attempt.
			data, other = other, data
			server = newOrigin(t, compliant(data, fmt.Sprintf(`"round-%d"`, round)))
		}
		file, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
		require.NoError(t, err)
		require.Equal(t, sum(data), file.SHA256)
		stored, err := os.ReadFile(file.Path)
		require.NoError(t, err)
		require.Equal(t, sum(data), sum(stored))
		require.NoError(t, file.Discard())
		if ranges := server.ranges(); len(ranges) > 1 && ranges[len(ranges)-1] != "" {
			resumed++
		}
	}
	assert.Greater(t, killed, rounds/2, "most children must be killed during the download")
	assert.Positive(t, resumed, "some downloads must be resumed")
}
