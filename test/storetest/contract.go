package storetest

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/store"
)

// Opened is a new, empty store.
type Opened struct {
	store.Store
	// Root is the location of the store: that of a file is Root/name.
	Root string
	// Sources is a folder for the files to store.
	Sources string
	// Hashes means that PutVideo reads the source and rejects another SHA-256. A
	// file that is only renamed was hashed by its caller.
	Hashes bool
	// Keeps means that PutVideo does not write a video that is stored with the same
	// bytes. A store without it replaces that one.
	Keeps bool
}

// Contract runs the tests that every store passes, each with a new store.
func Contract(t *testing.T, open func(t *testing.T) Opened) {
	for name, test := range map[string]func(*testing.T, Opened){
		"PutVideo":             putVideo,
		"PutVideo, rejected":   putVideoRejects,
		"PutVideo, concurrent": putVideoConcurrently,
		"Matches":              matches,
		"Receipt":              receipts,
		"missing, canceled":    missing,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func (o Opened) source(t *testing.T, content string) store.Source {
	t.Helper()
	return Source(t, o.Sources, []byte(content))
}

func putVideo(t *testing.T, opened Opened) {
	require.NoError(t, opened.Check(t.Context()))
	assert.Empty(t, List(t, opened))
	put := opened.source(t, strings.Repeat("video", 100_000))
	location, err := opened.PutVideo(t.Context(), Name, put)
	require.NoError(t, err)
	assert.Equal(t, opened.Root+"/"+Name, location)
	assert.Equal(t, put.SHA256, Sum([]byte(Read(t, opened, Name))))
	assert.Equal(t, []store.Entry{{Name: Name, Bytes: put.Bytes}}, List(t, opened))
	file, err := opened.Open(t.Context(), Name)
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now(), file.(interface{ ModTime() time.Time }).ModTime(), time.Hour)
	require.NoError(t, file.Close())
	for entry, err := range opened.List(t.Context()) {
		require.NoError(t, err)
		assert.WithinDuration(t, time.Now(), entry.Modified, time.Hour)
		assert.Equal(t, time.UTC, entry.Modified.Location())
	}

	require.NoError(t, os.RemoveAll(put.Path))
	again, err := opened.PutVideo(t.Context(), Name, put)
	require.NoError(t, err, "after a crash the source may be gone and the video stored")
	assert.Equal(t, location, again)

	for _, other := range []string{"another encoding", "anothEr encoding"} {
		_, err = opened.PutVideo(t.Context(), Name, opened.source(t, other))
		require.NoError(t, err)
		assert.Equal(t, other, Read(t, opened, Name))
	}
	same := opened.source(t, "anothEr encoding")
	_, err = opened.PutVideo(t.Context(), Name, same)
	require.NoError(t, err)
	assert.Equal(t, "anothEr encoding", Read(t, opened, Name))
	if opened.Keeps {
		// Other bytes than the source declares would fail a write.
		require.NoError(t, os.WriteFile(same.Path, []byte("an0ther encoding"), 0o600))
		_, err = opened.PutVideo(t.Context(), Name, same)
		require.NoError(t, err, "a video that is stored is not written again")
		assert.Equal(t, "anothEr encoding", Read(t, opened, Name))
	}
	_, err = opened.PutVideo(t.Context(), "empty.mp4", opened.source(t, ""))
	require.NoError(t, err)
	assert.Equal(t, []store.Entry{{Name: "empty.mp4"}, {Name: Name, Bytes: 16}}, List(t, opened))
}

func putVideoRejects(t *testing.T, opened Opened) {
	put := opened.source(t, "video")
	for _, bad := range []string{
		"", ".", "..", "../v.mp4", "/v.mp4", "a/v.mp4", `a\v.mp4`, "a\x00.mp4", "a\n.mp4", ".v.mp4", "\xff.mp4",
		strings.Repeat("x", 252) + ".mp4",
	} {
		_, err := opened.PutVideo(t.Context(), bad, put)
		require.ErrorContains(t, err, "no plain file name", bad)
		_, _, err = opened.Matches(t.Context(), bad, put.Bytes, put.SHA256)
		require.ErrorContains(t, err, "no plain file name", bad)
		_, err = opened.PutReceipt(t.Context(), bad, Receipt())
		require.ErrorContains(t, err, "no plain file name", bad)
		_, err = opened.Receipt(t.Context(), bad)
		require.ErrorContains(t, err, "no plain file name", bad)
		_, err = opened.Open(t.Context(), bad)
		require.ErrorContains(t, err, "no plain file name", bad)
	}

	longer := put
	longer.Bytes++
	_, err := opened.PutVideo(t.Context(), Name, longer)
	require.ErrorContains(t, err, "the source has changed")
	absent := put
	absent.Path += "x"
	_, err = opened.PutVideo(t.Context(), Name, absent)
	require.ErrorIs(t, err, fs.ErrNotExist)
	folder := put
	folder.Path = opened.Sources
	_, err = opened.PutVideo(t.Context(), Name, folder)
	require.Error(t, err)
	if opened.Hashes {
		other := put
		other.SHA256 = strings.Repeat("0", 64)
		_, err = opened.PutVideo(t.Context(), Name, other)
		require.ErrorContains(t, err, "SHA-256")
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = opened.PutVideo(canceled, Name, put)
	require.ErrorIs(t, err, context.Canceled)
	assert.FileExists(t, put.Path, "a failed attempt keeps the source")
	assert.Empty(t, List(t, opened))
}

// Concurrent attempts all succeed, also those that share a source.
func putVideoConcurrently(t *testing.T, opened Opened) {
	content := bytes.Repeat([]byte("video"), 100_000)
	shared := Source(t, opened.Sources, content)
	var attempts sync.WaitGroup
	for i := range 16 {
		put := shared
		if i%2 == 0 {
			put = Source(t, opened.Sources, content)
		}
		attempts.Go(func() {
			_, err := opened.PutVideo(t.Context(), Name, put)
			assert.NoError(t, err)
		})
	}
	attempts.Wait()
	assert.Equal(t, shared.SHA256, Sum([]byte(Read(t, opened, Name))))
	assert.Equal(t, []store.Entry{{Name: Name, Bytes: shared.Bytes}}, List(t, opened))
}

func matches(t *testing.T, opened Opened) {
	put := opened.source(t, "video")
	match := func() (string, bool) {
		t.Helper()
		location, ok, err := opened.Matches(t.Context(), Name, put.Bytes, put.SHA256)
		require.NoError(t, err)
		return location, ok
	}
	location, ok := match()
	assert.False(t, ok, "missing")
	assert.Empty(t, location)
	want, err := opened.PutVideo(t.Context(), Name, put)
	require.NoError(t, err)
	location, ok = match()
	assert.True(t, ok)
	assert.Equal(t, want, location)
	for _, other := range []string{"vidEo", "video and more"} {
		_, err = opened.PutVideo(t.Context(), Name, opened.source(t, other))
		require.NoError(t, err)
		location, ok = match()
		assert.False(t, ok, other)
		assert.Empty(t, location)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = opened.Matches(canceled, Name, put.Bytes, put.SHA256)
	require.ErrorIs(t, err, context.Canceled)
}

func receipts(t *testing.T, opened Opened) {
	location, err := opened.PutReceipt(t.Context(), "r.json", Receipt())
	require.NoError(t, err)
	assert.Equal(t, opened.Root+"/r.json", location)
	want := Receipt()
	want.Version, want.SourceURL = 1, "https://cdn.example.org/a%20b/in.mp4"
	got, err := opened.Receipt(t.Context(), "r.json")
	require.NoError(t, err)
	assert.Equal(t, want, got)
	want.WokenBy = "poll"
	_, err = opened.PutReceipt(t.Context(), "r.json", want)
	require.NoError(t, err)
	got, err = opened.Receipt(t.Context(), "r.json")
	require.NoError(t, err)
	assert.Equal(t, want, got, "a receipt is replaced")
	_, err = opened.PutReceipt(t.Context(), "r.json", store.Receipt{})
	require.ErrorContains(t, err, "no task id")
}

func missing(t *testing.T, opened Opened) {
	_, err := opened.Open(t.Context(), Name)
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = opened.Receipt(t.Context(), "r.json")
	require.ErrorIs(t, err, fs.ErrNotExist)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range opened.List(canceled) {
		require.ErrorIs(t, err, context.Canceled)
	}
	_, err = opened.Open(canceled, Name)
	require.ErrorIs(t, err, context.Canceled)
}
