// Package storetest holds the tests that every store passes, and the stores and
// files of other tests.
package storetest

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/store"
)

// Name is the name of the first video of task t1.
const Name = "luma_result_t1_1.mp4"

// Source writes content to a new file in dir.
func Source(t testing.TB, dir string, content []byte) store.Source {
	t.Helper()
	file, err := os.CreateTemp(dir, "source-*.part")
	require.NoError(t, err)
	_, err = file.Write(content)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	return store.Source{Path: file.Name(), Bytes: int64(len(content)), SHA256: Sum(content), ContentType: "video/mp4"}
}

// Sum is the SHA-256 of content in hexadecimal.
func Sum(content []byte) string {
	digest := sha256.Sum256(content)
	return hex.EncodeToString(digest[:])
}

// Listing is the receipt entry of a file.
func Listing(name, content string) store.ReceiptFile {
	return store.ReceiptFile{Name: name, Bytes: int64(len(content)), SHA256: Sum([]byte(content))}
}

// Receipt is a receipt with every field. Its source URL has parts that no store
// keeps.
func Receipt() store.Receipt {
	return store.Receipt{
		Job:            "luma-abc",
		Run:            "run-1",
		TaskID:         "t1",
		Prompt:         "Snow <at> night & day",
		SourceSHA256:   strings.Repeat("5a", 32),
		SourceURL:      "https://user:secret@cdn.example.org/a%20b/in.mp4?sig=secret#secret",
		SubmitAttempts: 1,
		WokenBy:        "callback",
		SubmittedAt:    time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC),
		CompletedAt:    time.Date(2026, 11, 23, 10, 5, 0, 0, time.UTC),
		Files: []store.ReceiptFile{{
			Name: Name, Location: "file:///v/" + Name, URLHost: "tempfile.example.com",
			ETag: `"v1"`, Bytes: 7, SHA256: strings.Repeat("ab", 32), Duration: "9.96s", Width: 1280, Height: 720,
		}},
	}
}

// Read returns the content of a stored file.
func Read(t testing.TB, opened store.Store, name string) string {
	t.Helper()
	reader, err := opened.Open(t.Context(), name)
	require.NoError(t, err)
	content, err := io.ReadAll(reader)
	require.NoError(t, err)
	require.NoError(t, reader.Close())
	return string(content)
}

// List returns the entries of a store, without their times.
func List(t testing.TB, opened store.Store) (found []store.Entry) {
	t.Helper()
	for entry, err := range opened.List(t.Context()) {
		require.NoError(t, err)
		entry.Modified = time.Time{}
		found = append(found, entry)
	}
	return found
}
