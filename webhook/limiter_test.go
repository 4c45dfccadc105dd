package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
)

func TestTemporalDecidesTheAnswer(t *testing.T) {
	tests := []struct {
		name   string
		err    error
		status int
	}{
		{"accepted", nil, 200},
		{"job is over or gone", serviceerror.NewNotFound("workflow execution already completed"), 200},
		{"job is over or gone, wrapped", fmt.Errorf("signal callback to j: %w", serviceerror.NewNotFound("workflow not found")), 200},
		{"no such namespace", serviceerror.NewNamespaceNotFound(namespace), 503},
		{"unreachable", serviceerror.NewUnavailable("connection refused"), 503},
		{"too many signals", serviceerror.NewInvalidArgument("exceeded workflow execution limit for signal events"), 503},
		{"no permission", serviceerror.NewPermissionDenied("no", ""), 503},
		{"anything else", errors.New("?"), 503},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			f.temporal.answer = func(context.Context) error { return test.err }
			requireAnswer(t, f.post(t, "j", success("t")), test.status, "")
			requireAnswer(t, f.post(t, "j", success("t")), test.status, "")
			want := 2
			if test.status == http.StatusOK {
				want = 1
			}
			assert.Len(t, f.temporal.recorded(), want, "only duplicates of accepted callbacks may be suppressed")
		})
	}
}

func TestSignalTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.temporal.answer = func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}
		start := time.Now()
		requireAnswer(t, f.post(t, "j", success("t")), 503, "try again")
		assert.Equal(t, 10*time.Second, time.Since(start))

		f.temporal.answer = nil
		requireAnswer(t, f.post(t, "j", success("t")), 200, "received")
		assert.Len(t, f.temporal.recorded(), 2, "a signal that timed out does not count as accepted")
	})
}

func TestDuplicatesAreSuppressed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		same := func() *http.Response { return f.post(t, "j", success("t")) }
		for range 100 {
			requireAnswer(t, same(), 200, "received")
		}
		assert.Len(t, f.temporal.recorded(), 1)
		assert.Equal(t, 99, strings.Count(f.log.String(), "reason=duplicate"))

		different := []string{success("u"), `{"code":500,"data":{"taskId":"t"}}`}
		for i, body := range different {
			requireAnswer(t, f.post(t, "j", body), 200, "received")
			assert.Len(t, f.temporal.recorded(), i+2)
		}
		requireAnswer(t, f.post(t, "k", success("t")), 200, "received")
		assert.Len(t, f.temporal.recorded(), 4, "another job")

		time.Sleep(time.Minute - time.Nanosecond)
		requireAnswer(t, same(), 200, "received")
		assert.Len(t, f.temporal.recorded(), 4)
		time.Sleep(time.Nanosecond)
		requireAnswer(t, same(), 200, "received")
		assert.Len(t, f.temporal.recorded(), 5, "signalled after the window of a minute")
	})
}

// Duplicates of a callback whose signal is in flight cause no further signal and
// get no answer before Temporal's.
func TestDuplicatesInFlight(t *testing.T) {
	for _, outcome := range []struct {
		err    error
		status int
	}{{nil, 200}, {errors.New("unavailable"), 503}} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t)
			release := make(chan struct{})
			f.temporal.answer = func(context.Context) error {
				<-release
				return outcome.err
			}
			const senders = 50
			answers := make(chan *http.Response, senders)
			for range senders {
				go func() { answers <- f.post(t, "j", success("t")) }()
			}
			synctest.Wait()
			assert.Len(t, f.temporal.recorded(), 1)
			assert.Empty(t, answers, "answers before Temporal's")

			close(release)
			for range senders {
				requireAnswer(t, <-answers, outcome.status, "")
			}
			assert.Len(t, f.temporal.recorded(), 1)

			f.temporal.answer = nil
			requireAnswer(t, f.post(t, "j", success("t")), 200, "received")
			want := 1
			if outcome.err != nil {
				want = 2
			}
			assert.Len(t, f.temporal.recorded(), want)
		})
	}
}

func TestSignalsPerJobAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		post := func(job string, n int) *http.Response {
			return f.post(t, job, success(fmt.Sprintf("task-%d", n)))
		}
		for n := range 30 {
			requireAnswer(t, post("j", n), 200, "received")
			time.Sleep(time.Minute)
		}
		response := post("j", 30)
		requireAnswer(t, response, 503, "try again")
		assert.Equal(t, "1800", response.Header.Get("Retry-After"))
		requireAnswer(t, post("k", 30), 200, "received")
		assert.Len(t, f.temporal.recorded(), 31)
		assert.Contains(t, f.log.String(), "too many signals for this job")

		time.Sleep(30 * time.Minute)
		requireAnswer(t, post("j", 30), 200, "received")
	})
}

func TestCallbacksInFlightAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		release := make(chan struct{})
		f.temporal.answer = func(context.Context) error {
			<-release
			return nil
		}
		const slots = 256
		var inFlight sync.WaitGroup
		for n := range slots {
			inFlight.Go(func() { assertStatus(t, f.post(t, fmt.Sprintf("job-%d", n), success("t")), 200) })
		}
		synctest.Wait()
		require.Len(t, f.temporal.recorded(), slots)

		requireAnswer(t, f.post(t, "late", success("t")), 503, "try again")
		requireAnswer(t, f.do(newRequest(t, http.MethodGet, "/healthz", "")), 200, "ok")
		requireAnswer(t, f.do(newRequest(t, http.MethodPost, f.path("late")+"x", success("t"))), 401, "unauthorized")

		close(release)
		inFlight.Wait()
		requireAnswer(t, f.post(t, "late", success("t")), 200, "received")
	})
}

// assertStatus is for goroutines other than the test's, where require must not be
// called.
func assertStatus(t *testing.T, response *http.Response, status int) {
	assert.Equal(t, status, response.StatusCode)
}
