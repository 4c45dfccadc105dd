package bucket_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/store"
	"lumaflow/test/s3test"
)

// lonelyServer serves S3 in a child process until its standard input ends, so that
// its memory does not count.
const lonelyServer = "LUMAFLOW_TEST_S3_SERVER"

func serveAlone() int {
	backend := s3mem.New()
	if err := backend.CreateBucket(s3test.Bucket); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	server := httptest.NewServer(gofakes3.New(backend).Server())
	defer server.Close()
	fmt.Println(server.URL)
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

// BenchmarkPutVideo uploads videos of several sizes. The bytes per operation must
// not grow with the size.
func BenchmarkPutVideo(b *testing.B) {
	child := exec.CommandContext(b.Context(), os.Args[0])
	child.Env = append(os.Environ(), lonelyServer+"=1")
	_, err := child.StdinPipe()
	require.NoError(b, err)
	said, err := child.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, child.Start())
	defer func() {
		_ = child.Process.Kill()
		_ = child.Wait()
	}()
	endpoint, err := bufio.NewReader(said).ReadString('\n')
	require.NoError(b, err)
	endpoint = strings.TrimSpace(endpoint)
	opened := open(b, "s3://"+s3test.Bucket+"?use_path_style=true&region=us-east-1&endpoint="+endpoint)

	for _, megabytes := range []int64{1, 32, 1024} {
		b.Run(fmt.Sprintf("%dMB", megabytes), func(b *testing.B) {
			put := largeSource(b, megabytes<<20)
			b.SetBytes(put.Bytes)
			b.ReportAllocs()
			for b.Loop() {
				_, err := opened.PutVideo(b.Context(), name, put)
				require.NoError(b, err)
				b.StopTimer()
				request, err := http.NewRequest(http.MethodDelete, endpoint+"/"+s3test.Bucket+"/"+name, nil)
				require.NoError(b, err)
				response, err := http.DefaultClient.Do(request)
				require.NoError(b, err)
				_ = response.Body.Close()
				b.StartTimer()
			}
		})
	}
}

// largeSource is a sparse file of zeros.
func largeSource(b *testing.B, bytes int64) store.Source {
	file, err := os.Create(filepath.Join(b.TempDir(), "source.part"))
	require.NoError(b, err)
	defer file.Close()
	require.NoError(b, file.Truncate(bytes))
	digest := sha256.New()
	_, err = io.Copy(digest, file)
	require.NoError(b, err)
	return store.Source{Path: file.Name(), Bytes: bytes, SHA256: hex.EncodeToString(digest.Sum(nil)), ContentType: "video/mp4"}
}
