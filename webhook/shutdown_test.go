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

	"lumaflow/webhook"
)

// A balancer that looks every few seconds finds the door open until it has seen
// that the webhook is not ready any more.
func TestLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancelCause(t.Context())
		late, handler := webhook.Linger(ctx, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusTeapot)
		}))
		ask := func() *http.Response {
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", http.NoBody))
			assert.Equal(t, http.StatusTeapot, answer.Code)
			return answer.Result()
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.NoError(t, late.Err())
		assert.Empty(t, ask().Header.Get("Connection"))

		why := errors.New("SIGTERM")
		stop(why)
		time.Sleep(4 * time.Second)
		synctest.Wait()
		assert.NoError(t, late.Err(), "it goes on taking callbacks")
		assert.Equal(t, "close", ask().Header.Get("Connection"), "and no connection is used twice")
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Equal(t, why, context.Cause(late), "for five seconds")
	})
}
