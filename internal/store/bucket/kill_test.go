package bucket_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/store"
	"lumaflow/test/s3test"
	"lumaflow/test/storetest"
)

const (
	victimURL    = "LUMAFLOW_TEST_VICTIM_URL"
	victimSource = "LUMAFLOW_TEST_VICTIM_SOURCE"
)

// victim is the main function of the child process: it stores a video.
func victim(url string) int {
	var put store.Source
	err := json.Unmarshal([]byte(os.Getenv(victimSource)), &put)
	var opened store.Store
	if err == nil {
		opened, err = store.Open(context.Background(), url)
	}
	if err == nil {
		_, err = opened.PutVideo(context.Background(), name, put)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// paused is a body that blocks at an offset until a channel is closed.
type paused struct {
	io.Reader
	left  int
	pause func()
}

func (p *paused) Read(b []byte) (int, error) {
	if p.left == 0 {
		p.left = -1
		p.pause()
	}
	if p.left > 0 {
		b = b[:min(len(b), p.left)]
	}
	n, err := p.Reader.Read(b)
	if p.left > 0 {
		p.left -= n
	}
	return n, err
}

// A process killed during a write leaves the complete video or nothing, and the
// next attempt stores the video.
func TestKilledDuringAWrite(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("video"), 8<<20)
	// Bytes in flight when the process is killed may still arrive.
	const onTheWay = 16 << 20
	for _, moment := range []int{0, 1, 100_000, 17 << 20, len(content) - 1, len(content)} {
		t.Run(fmt.Sprintf("after %d bytes", moment), func(t *testing.T) {
			t.Parallel()
			server := s3test.New(t)
			put := source(t, content)
			text, err := json.Marshal(put)
			require.NoError(t, err)
			child := exec.Command(os.Args[0])
			child.Env = append(os.Environ(), victimURL+"="+server.OutputURL(), victimSource+"="+string(text))
			var complaints strings.Builder
			child.Stderr = &complaints
			started, ended := make(chan struct{}), make(chan error)
			kill := func() {
				<-started
				require.NoError(t, child.Process.Kill())
				ended <- child.Wait()
			}
			served := make(chan struct{})
			server.InterceptPuts(once(func(w http.ResponseWriter, r *http.Request) bool {
				defer close(served)
				if moment < len(content) {
					r.Body = io.NopCloser(&paused{r.Body, moment, kill})
					server.Serve(w, r)
					return true
				}
				server.Serve(w, r)
				kill()
				return true
			}))
			require.NoError(t, child.Start())
			close(started)
			require.Error(t, <-ended)
			require.Empty(t, complaints.String())
			<-served
			server.NoMultipartUploads()
			if moment < len(content)-onTheWay {
				assert.Empty(t, slices.Collect(maps.Keys(server.Objects())), "no object")
			}

			_, err = open(t, server.OutputURL()).PutVideo(t.Context(), name, put)
			require.NoError(t, err)
			stored := server.Objects()
			assert.Len(t, stored, 1)
			assert.Equal(t, put.SHA256, storetest.Sum([]byte(stored[name])))
			server.NoMultipartUploads()
		})
	}
}
