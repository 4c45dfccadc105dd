package fetch_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/fetch"
)

// These tests run on a fake clock, with connections within the process.
func TestStall(t *testing.T) {
	t.Parallel()
	data := video(100_000, 1)
	const piece = 10_000
	tests := []struct {
		name  string
		piece int
		pause func(sent int) time.Duration
		kind  fetch.Kind
		took  time.Duration
	}{
		{"slow, but steady", piece, func(int) time.Duration { return 29 * time.Second }, 0, 11 * 29 * time.Second},
		{"slow first bytes", 200, func(int) time.Duration { return 29 * time.Second }, 0, 501 * 29 * time.Second},
		{"no header", piece, func(sent int) time.Duration { return pauseIf(sent == 0) }, fetch.Transient, 30 * time.Second},
		{"no body", piece, func(sent int) time.Duration { return pauseIf(sent == piece) }, fetch.Transient, 30 * time.Second},
		{"no end", piece, func(sent int) time.Duration { return pauseIf(sent == len(data)) }, fetch.Transient, 30 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			workDir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				fetcher := newFetcher(t, func(o *fetch.Options) { o.WorkDir, o.StallTimeout = workDir, 0 })
				servePipe(t, fetcher, func(connection net.Conn) {
					time.Sleep(test.pause(0))
					_, _ = fmt.Fprintf(connection, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
					for sent := 0; sent < len(data); sent += test.piece {
						_, err := fmt.Fprintf(connection, "%x\r\n%s\r\n", test.piece, data[sent:sent+test.piece])
						if err != nil {
							return
						}
						time.Sleep(test.pause(sent + test.piece))
					}
					_, _ = fmt.Fprintf(connection, "0\r\n\r\n")
				})
				begun := time.Now()
				file, err := fetcher.Fetch(t.Context(), fetch.Request{URL: "http://example.com/result.mp4?sig=" + secret, Key: key})
				assert.Equal(t, test.kind, fetch.KindOf(err), "%v", err)
				assert.Equal(t, test.took, time.Since(begun))
				if test.kind == 0 {
					require.NoError(t, err)
					assert.Equal(t, sum(data), file.SHA256)
					require.NoError(t, file.Discard())
					return
				}
				require.ErrorContains(t, err, "nothing arrived for too long")
				assertClean(t, err)
			})
		})
	}
}

// An attempt with a real connection fails too, and keeps the received bytes.
func TestStalledConnection(t *testing.T) {
	t.Parallel()
	data := video(300_000, 1)
	silent := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	server := newOrigin(t, stallAfter(data, 100_000), silent, compliant(data, etag))
	hasty := newFetcher(t, func(o *fetch.Options) { o.StallTimeout = 300 * time.Millisecond })
	for range 2 {
		_, err := hasty.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
		assert.Equal(t, fetch.Transient, fetch.KindOf(err))
		require.ErrorContains(t, err, "nothing arrived for too long")
		assertClean(t, err)
	}
	fetcher := newFetcher(t, func(o *fetch.Options) { o.WorkDir = hasty.WorkDir() })
	file, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
	require.NoError(t, err)
	assert.Equal(t, sum(data), file.SHA256)
	require.NoError(t, file.Discard())
}

// servePipe answers each connection of the fetcher after its request, within the bubble
// of synctest.
func servePipe(t *testing.T, fetcher *fetch.Fetcher, answer func(connection net.Conn)) {
	t.Helper()
	var servers sync.WaitGroup
	t.Cleanup(servers.Wait)
	fetcher.SetDial(func(context.Context, string, string) (net.Conn, error) {
		client, connection := net.Pipe()
		servers.Go(func() {
			defer connection.Close()
			_, _ = http.ReadRequest(bufio.NewReader(connection))
			answer(connection)
		})
		return client, nil
	})
}

func pauseIf(yes bool) time.Duration {
	if yes {
		return time.Hour
	}
	return 0
}
