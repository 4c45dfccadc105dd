package fetch_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"

	"lumaflow/internal/fetch"
)

// Fetch downloads a link into the work directory and verifies the bytes. The
// attempts that have the same key resume each other.
func ExampleFetcher_Fetch() {
	server := httptest.NewServer(http.FileServer(http.Dir("../media/testdata")))
	defer server.Close()
	workDir, err := os.MkdirTemp("", "lumaflow-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(workDir) }()

	fetcher, err := fetch.New(fetch.Options{WorkDir: workDir, AllowPrivate: true})
	if err != nil {
		log.Fatal(err)
	}
	file, err := fetcher.Fetch(context.Background(), fetch.Request{URL: server.URL + "/clip.mp4", Key: "task-1"})
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	fmt.Println(file.Bytes, "bytes,", file.Video.Duration, file.Video.Extension)
	// Output: 6208 bytes, 1.2s .mp4
}
