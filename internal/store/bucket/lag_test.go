package bucket_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/store"
	"lumaflow/internal/store/bucket"
	"lumaflow/test/s3test"
	"lumaflow/test/storetest"
)

// impatient opens a store that requests attributes again every millisecond, for a second.
func impatient(t *testing.T, url string) store.Store {
	t.Helper()
	opened := open(t, url)
	bucket.SetLag(opened, time.Millisecond, time.Millisecond, time.Second)
	return opened
}

// A store that shows an object some requests after the write gets each video and
// each receipt once.
func TestLateStoreIsWrittenOnce(t *testing.T) {
	t.Parallel()
	heads := func(r *http.Request) bool { return r.Method == http.MethodHead }
	gets := func(r *http.Request) bool { return r.Method == http.MethodGet }
	all := func(*http.Request) bool { return true }
	tests := map[string]struct {
		before string
		late   func(*http.Request) bool
		hook   func(*s3test.Server) s3test.Hook
		puts   int
	}{
		"HEAD answers 404":                      {late: heads, puts: 1},
		"HEAD shows the replaced object":        {before: "older", late: heads, puts: 1},
		"all reads are late":                    {late: all, puts: 1},
		"GET answers 404 after HEAD found it":   {late: gets, hook: unproven, puts: 1},
		"the answer to the write was lost, too": {late: heads, puts: 2, hook: lostAnswer},
		"without conditions": {late: heads, puts: 1, hook: func(*s3test.Server) s3test.Hook {
			return func(_ http.ResponseWriter, r *http.Request) bool {
				r.Header.Del("If-None-Match")
				r.Header.Del("If-Match")
				return false
			}
		}},
	}
	for when, test := range tests {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			server := s3test.New(t)
			const receipt = "r.json"
			if test.before != "" {
				server.PutObject(name, test.before)
				server.PutObject(receipt, test.before)
			}
			server.Lag(7, test.late)
			put := source(t, []byte("video"))
			for key, write := range map[string]func(store.Store) error{
				name: func(opened store.Store) error {
					_, err := opened.PutVideo(t.Context(), name, put)
					return err
				},
				receipt: func(opened store.Store) error {
					_, err := opened.PutReceipt(t.Context(), receipt, storetest.Receipt())
					return err
				},
			} {
				if test.hook != nil {
					server.Intercept(test.hook(server))
				}
				server.Requests("")
				require.NoError(t, write(impatient(t, server.OutputURL())))
				assert.Len(t, server.Requests("PUT"), test.puts, key)
			}
			assert.Equal(t, put.SHA256, storetest.Sum([]byte(server.Objects()[name])))
			opened := open(t, server.OutputURL())
			stored, err := opened.Receipt(t.Context(), receipt)
			require.NoError(t, err)
			assert.Equal(t, "t1", stored.TaskID)
		})
	}
}

// lostAnswer stores the first object and closes the connection.
func lostAnswer(server *s3test.Server) s3test.Hook {
	lose := once(func(w http.ResponseWriter, r *http.Request) bool {
		server.Serve(discarded{w}, r)
		panic(http.ErrAbortHandler)
	})
	return func(w http.ResponseWriter, r *http.Request) bool { return r.Method == http.MethodPut && lose(w, r) }
}

// discarded is an answer that is not sent.
type discarded struct{ http.ResponseWriter }

func (discarded) Header() http.Header         { return http.Header{} }
func (discarded) Write(p []byte) (int, error) { return len(p), nil }
func (discarded) WriteHeader(int)             {}

// A new attempt, in this or in another process, does not replace what an interrupted
// one has written.
func TestInterruptedWhileTheStoreLags(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	server.Lag(40, func(r *http.Request) bool { return r.Method == http.MethodHead })
	put := source(t, []byte("video"))
	ctx, cancel := context.WithCancel(t.Context())
	var heads int
	server.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodHead {
			if heads++; heads == 10 {
				cancel()
			}
		}
		return false
	})
	_, err := impatient(t, server.OutputURL()).PutVideo(ctx, name, put)
	require.ErrorIs(t, err, context.Canceled)
	server.Intercept(nil)
	require.Len(t, server.Requests("PUT"), 1)

	accepted := server.Accepted()
	_, err = impatient(t, server.OutputURL()).PutVideo(t.Context(), name, put)
	require.NoError(t, err)
	assert.Equal(t, accepted, server.Accepted(), "the condition refuses the second write")
}

func TestStoreThatNeverShowsAWrite(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		before string
		want   string
	}{
		"missing":  {want: "the store accepted the object and may have it, but it answered 404 to HEAD, 10 times within 26.2s"},
		"replaced": {before: "an older one", want: "the store accepted the object and may have it, but it showed the earlier object, 10 times within 26.2s"},
	}
	for what, test := range tests {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			put := source(t, []byte("video"))
			opened := open(t, "mem://"+freshBucket())
			if test.before != "" {
				_, err := opened.PutVideo(t.Context(), name, source(t, []byte(test.before)))
				require.NoError(t, err)
			}
			synctest.Test(t, func(t *testing.T) {
				_, puts := bucket.HideWrites(opened, time.Hour)
				began := time.Now()
				_, err := opened.PutVideo(t.Context(), name, put)
				require.ErrorContains(t, err, test.want)
				assert.Equal(t, 1, *puts)
				assert.InDelta(t, 30, time.Since(began).Seconds(), 5)
			})
		})
	}
}

// The interval grows to five seconds, and the wait ends with the lag.
func TestLagIsAskedForWithGrowingIntervals(t *testing.T) {
	t.Parallel()
	put := source(t, []byte("video"))
	opened := open(t, "mem://"+freshBucket())
	synctest.Test(t, func(t *testing.T) {
		heads, puts := bucket.HideWrites(opened, 8*time.Second)
		began := time.Now()
		_, err := opened.PutVideo(t.Context(), name, put)
		require.NoError(t, err)
		assert.Equal(t, 1, *puts)
		// Two before the write; then after 0, 0.2, 0.6, 1.4, 3, 6.2 and 11.2 s.
		assert.Equal(t, 2+7, *heads)
		assert.Equal(t, 11200*time.Millisecond, time.Since(began))
	})
}

// The error of an interruption names the state that the store had shown until then.
func TestInterruptionNamesTheLag(t *testing.T) {
	t.Parallel()
	put := source(t, []byte("video"))
	opened := open(t, "mem://"+freshBucket())
	synctest.Test(t, func(t *testing.T) {
		bucket.HideWrites(opened, time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err := opened.PutVideo(ctx, name, put)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "it answered 404 to HEAD, 6 times within 6.2s: context deadline exceeded")
	})
}

// A conflict with an object that the store does not show is waited for once, before
// the second write.
func TestConflictWithAnObjectThatIsNotShown(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	server.InterceptPuts(func(w http.ResponseWriter, r *http.Request) bool {
		_, _ = io.Copy(io.Discard, r.Body)
		s3test.WriteError(w, http.StatusPreconditionFailed, "PreconditionFailed")
		return true
	})
	_, err := impatient(t, server.OutputURL()).PutVideo(t.Context(), name, source(t, []byte("video")))
	require.ErrorContains(t, err, "another write came first or has not ended, but it answered 404 to HEAD")
	assert.Len(t, server.Requests("PUT"), 2)
}
