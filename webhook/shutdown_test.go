package webhook_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/webhook"
)

// A stopping webhook accepts callbacks until load balancers have seen that it is
// not ready.
func TestDelayedShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancelCause(t.Context())
		delayed, handler := webhook.DelayShutdown(ctx, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusTeapot)
		}))
		post := func() *http.Response {
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", http.NoBody))
			assert.Equal(t, http.StatusTeapot, answer.Code)
			return answer.Result()
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		require.NoError(t, delayed.Err())
		assert.Empty(t, post().Header.Get("Connection"))

		cause := errors.New("SIGTERM")
		stop(cause)
		time.Sleep(4 * time.Second)
		synctest.Wait()
		require.NoError(t, delayed.Err(), "callbacks are accepted")
		assert.Equal(t, "close", post().Header.Get("Connection"), "no connection is reused")
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Equal(t, cause, context.Cause(delayed), "the delay is five seconds")
	})
}
