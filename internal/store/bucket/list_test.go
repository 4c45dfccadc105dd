package bucket_test

import (
	"fmt"
	"io/fs"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/store"
	"lumaflow/test/s3test"
)

func TestList(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	opened := open(t, server.OutputURL("prefix=videos/"))
	assert.Empty(t, list(t, opened))
	for _, key := range []string{
		"videos/", "videos/b.mp4", "videos/a.mp4", "videos/B.json", "videos/a/", "videos/a/c.mp4", "videos/a.b/d.mp4",
		"videos/.lumaflow-check", "videos/.hidden/e.mp4", "videos/odd \n name", "videos2/f.mp4", "g.mp4",
	} {
		server.PutObject(key, key)
	}
	assert.Equal(t, []store.Entry{
		{Name: "B.json", Bytes: 13}, {Name: "a.b/"}, {Name: "a.mp4", Bytes: 12}, {Name: "a/"}, {Name: "b.mp4", Bytes: 12}, {Name: "odd \n name", Bytes: 17},
	}, list(t, opened))
	for _, err := range opened.List(t.Context()) {
		require.NoError(t, err)
		break
	}
	root := open(t, server.OutputURL())
	assert.Equal(t, []store.Entry{{Name: "g.mp4", Bytes: 5}, {Name: "videos/"}, {Name: "videos2/"}}, list(t, root))
}

func TestListOfManyPages(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	opened := open(t, server.OutputURL("prefix=videos/"))
	const many = 2345
	for i := range many {
		server.PutObject(fmt.Sprintf("videos/%04d.mp4", i), "x")
	}
	found := list(t, opened)
	require.Len(t, found, many)
	for i, entry := range found {
		require.Equal(t, store.Entry{Name: fmt.Sprintf("%04d.mp4", i), Bytes: 1}, entry)
	}
	assert.Len(t, server.Requests("GET"), 3)
}

// A missing bucket is an error, not an empty list or a missing file.
func TestMissingBucket(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	opened := open(t, server.OutputURL())
	server.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		s3test.WriteError(w, http.StatusNotFound, "NoSuchBucket")
		return true
	})
	yielded := 0
	for _, err := range opened.List(t.Context()) {
		require.ErrorContains(t, err, "list s3://films: NoSuchBucket")
		yielded++
	}
	assert.Equal(t, 1, yielded)
	_, err := opened.Open(t.Context(), name)
	require.ErrorContains(t, err, "NoSuchBucket")
	require.NotErrorIs(t, err, fs.ErrNotExist)
	_, err = opened.Receipt(t.Context(), "r.json")
	require.ErrorContains(t, err, "NoSuchBucket")
	require.NotErrorIs(t, err, fs.ErrNotExist)
	_, _, err = opened.Matches(t.Context(), name, 1, "")
	require.ErrorContains(t, err, "NoSuchBucket")
	_, err = opened.PutVideo(t.Context(), name, source(t, []byte("video")))
	require.ErrorContains(t, err, "NoSuchBucket")
}
