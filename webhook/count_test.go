package webhook_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.temporal.io/api/serviceerror"

	"lumaflow/internal/kie"
	"lumaflow/test/metricstest"
	"lumaflow/webhook"
)

func TestOutcomesAreCounted(t *testing.T) {
	t.Parallel()
	recorded := metricstest.New()
	counted := func(options *webhook.Options) { options.Metrics = recorded }
	f := newFixture(t, counted)
	f.post(t, "job", success("t"))
	f.post(t, "job", success("t"))
	f.post(t, "job", "no JSON")
	f.post(t, "job", strings.Repeat("x", kie.MaxBody+1))
	f.do(newRequest(t, http.MethodPost, f.path("job")[:40]+strings.Repeat("A", 43), success("t")))
	f.temporal.answer = func(context.Context) error { return serviceerror.NewNotFound("over") }
	f.post(t, "another", success("t"))
	f.temporal.answer = func(context.Context) error { return errors.New("away") }
	f.post(t, "a third", success("t"))
	for range 30 {
		f.post(t, "a fourth", success("t"))
	}
	f.post(t, "a fourth", success("t"))
	newFixture(t, counted, signed(t)).post(t, "job", success("t"))
	// Requests for other routes are not counted.
	f.do(newRequest(t, http.MethodGet, "/healthz", ""))
	f.do(newRequest(t, http.MethodGet, f.path("job"), ""))
	f.do(newRequest(t, http.MethodPost, "/elsewhere", ""))
	assert.Equal(t, map[string]float64{
		"callbacks accepted": 1, "callbacks duplicate": 1, "callbacks malformed": 1, "callbacks too-large": 1, "callbacks forged": 1,
		"callbacks collecting": 1, "callbacks unavailable": 31, "callbacks busy": 1, "callbacks bad-signature": 1,
	}, recorded.Values())
}
