package bucket_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/store"
	"lumaflow/test/s3test"
)

func TestCheckLeavesNothing(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	require.NoError(t, open(t, server.OutputURL()).Check(t.Context()))
	assert.Len(t, server.Requests("PUT"), 1, "the check writes")
	assert.Empty(t, server.Objects())
}

// Workers that start together check concurrently.
func TestCheckConcurrently(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	var workers sync.WaitGroup
	for range 16 {
		opened := open(t, server.OutputURL())
		workers.Go(func() { assert.NoError(t, opened.Check(t.Context())) })
	}
	workers.Wait()
	assert.Empty(t, server.Objects())
}

func TestCheckWithoutPermissionToDelete(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	server.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodDelete {
			s3test.WriteError(w, http.StatusForbidden, "AccessDenied")
			return true
		}
		return false
	})
	opened := open(t, server.OutputURL())
	require.NoError(t, opened.Check(t.Context()))
	require.NoError(t, opened.Check(t.Context()))
	assert.Len(t, server.Objects(), 1)
	assert.Empty(t, list(t, opened))
}

func TestCheckFails(t *testing.T) {
	t.Parallel()
	refuses := func(method string, status int, code string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == method {
				s3test.WriteError(w, status, code)
			}
			return r.Method == method
		}
	}
	tests := map[string]struct {
		before func(http.ResponseWriter, *http.Request) bool
		says   []string
	}{
		"not listed":  {refuses(http.MethodGet, http.StatusForbidden, "AccessDenied"), []string{"may not list, read and write s3://films", "AccessDenied", "permissions"}},
		"not read":    {refuses(http.MethodHead, http.StatusForbidden, ""), []string{"may not list, read and write s3://films"}},
		"not written": {refuses(http.MethodPut, http.StatusForbidden, "AccessDenied"), []string{"may not list, read and write s3://films", "AccessDenied of the test"}},
		"not read back": {func(w http.ResponseWriter, r *http.Request) bool {
			return strings.HasSuffix(r.URL.Path, "-check") && refuses(http.MethodGet, http.StatusForbidden, "AccessDenied")(w, r)
		}, []string{"may not list, read and write s3://films", "AccessDenied"}},
		"unknown key":  {refuses(http.MethodGet, http.StatusForbidden, "InvalidAccessKeyId"), []string{"InvalidAccessKeyId"}},
		"wrong region": {refuses(http.MethodGet, http.StatusBadRequest, "AuthorizationHeaderMalformed"), []string{"s3://films can't be used: AuthorizationHeaderMalformed"}},
		"gone":         {refuses(http.MethodGet, http.StatusNotFound, "NoSuchBucket"), []string{"there is no bucket s3://films", "create it"}},
	}
	for what, test := range tests {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			server := s3test.New(t)
			server.Intercept(test.before)
			err := open(t, server.OutputURL()).Check(t.Context())
			require.ErrorContains(t, err, "OUTPUT_URL: ")
			for _, words := range test.says {
				require.ErrorContains(t, err, words)
			}
			assert.NotContains(t, err.Error(), "\n")
			assert.Less(t, len(err.Error()), 400)
			t.Log(err)
		})
	}
}

func TestCheckOfMissingBuckets(t *testing.T) {
	t.Parallel()
	server, azure := s3test.New(t), newAzure(t)
	gone := s3test.New(t)
	gone.Close()
	for url, words := range map[string]string{
		"s3://nowhere?region=eu-central-1&use_path_style=true&endpoint=" + server.URL: "there is no bucket s3://nowhere (NoSuchBucket",
		"gs://nowhere": "there is no bucket gs://nowhere",
		"azblob://nowhere?protocol=http&domain=" + azure.Listener.Addr().String(): "there is no bucket azblob://nowhere (ContainerNotFound)",
		gone.OutputURL(): "s3://films can't be reached (no answer from " + gone.Listener.Addr().String() + ": dial tcp",
	} {
		err := open(t, url).Check(t.Context())
		require.ErrorContains(t, err, "OUTPUT_URL: ", url)
		require.ErrorContains(t, err, words)
		assert.NotContains(t, err.Error(), "\n")
		t.Log(err)
		_, existing := store.OpenExisting(t.Context(), url)
		require.EqualError(t, existing, err.Error(), "OpenExisting returns the same error")
	}
}

func TestCheckCanceled(t *testing.T) {
	t.Parallel()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, open(t, s3test.New(t).OutputURL()).Check(canceled), context.Canceled)
}
