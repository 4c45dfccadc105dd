//go:build darwin || linux

package fetch_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/fetch"
)

const (
	victimLink    = "LUMAFLOW_TEST_VICTIM_LINK"
	victimWorkDir = "LUMAFLOW_TEST_VICTIM_WORK_DIR"
	victimRoom    = "LUMAFLOW_TEST_VICTIM_ROOM"
)

// victim is what a child process does: it downloads, and writes a line for
// every piece that has come.
func victim(link, workDir string) int {
	fetcher, err := fetch.New(fetch.Options{WorkDir: workDir, AllowPrivate: true})
	if room := os.Getenv(victimRoom); err == nil && room != "" {
		err = limitFiles(room)
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

// killAt runs a victim and kills it with SIGKILL when it has told that done
// bytes are there. It reports whether the victim was still at work.
func killAt(t *testing.T, link, workDir string, done int64) bool {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), victimLink+"="+link, victimWorkDir+"="+workDir)
	var complaints strings.Builder
	child.Stderr = &complaints
	told, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	for lines := bufio.NewScanner(told); lines.Scan(); {
		var at int64
		_, err := fmt.Sscan(lines.Text(), &at)
		require.NoError(t, err)
		if at >= done {
			require.NoError(t, child.Process.Kill())
			break
		}
	}
	err = child.Wait()
	require.Empty(t, complaints.String())
	return err != nil
}

func TestKilledDownloadGoesOn(t *testing.T) {
	t.Parallel()
	data := video(5*fetch.CheckpointEvery, 1)
	sent := 3*fetch.CheckpointEvery + 12345
	server := newOrigin(t, stall(data, etag, sent), honest(data, etag))
	workDir := t.TempDir()

	require.True(t, killAt(t, server.link(), workDir, int64(sent)))

	fetcher := newFetcher(t, func(o *fetch.Options) { o.WorkDir = workDir })
	file, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
	require.NoError(t, err)
	assert.Equal(t, sum(data), file.SHA256)
	require.NoError(t, file.Discard())

	var from int
	asked := server.asked()[1]
	_, err = fmt.Sscanf(asked, "bytes=%d-", &from)
	require.NoError(t, err, asked)
	assert.Greater(t, from, 2*fetch.CheckpointEvery, "at most one checkpoint's worth is fetched twice")
	assert.LessOrEqual(t, from, sent)
}

// Whatever the moment, the next attempt ends with the right bytes.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	const rounds = 12
	random := rand.New(rand.NewPCG(1, 2))
	data, other := video(4*fetch.CheckpointEvery, 1), video(4*fetch.CheckpointEvery, 2)
	workDir := t.TempDir()
	fetcher := newFetcher(t, func(o *fetch.Options) { o.WorkDir = workDir })
	killed, resumed := 0, 0
	for round := range rounds {
		server := newOrigin(t, honest(data, etag))
		if killAt(t, server.link(), workDir, random.Int64N(int64(len(data)))) {
			killed++
		}
		if round%3 == 2 {
			// The file is another one when the next attempt comes.
			data, other = other, data
			server = newOrigin(t, honest(data, fmt.Sprintf(`"round-%d"`, round)))
		}
		file, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
		require.NoError(t, err)
		require.Equal(t, sum(data), file.SHA256)
		stored, err := os.ReadFile(file.Path)
		require.NoError(t, err)
		require.Equal(t, sum(data), sum(stored))
		require.NoError(t, file.Discard())
		if asked := server.asked(); len(asked) > 1 && asked[len(asked)-1] != "" {
			resumed++
		}
	}
	assert.Greater(t, killed, rounds/2, "most victims must have been killed at work")
	assert.Positive(t, resumed, "some downloads must have gone on")
}
