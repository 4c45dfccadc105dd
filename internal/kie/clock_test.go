package kie_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie"
)

// The bubble's clock begins at midnight, so kie.ai's is said in full seconds.
func TestCompareClocks(t *testing.T) {
	tests := map[string]struct {
		kie    time.Duration // kie.ai's clock, against ours
		way    time.Duration // how long request and answer take, each
		status int
		want   kie.Clock
	}{
		"the same":           {0, 0, 200, kie.Clock{Ahead: -time.Second / 2, Margin: time.Second / 2}},
		"ours is ahead":      {-10 * time.Minute, 0, 200, kie.Clock{Ahead: 10*time.Minute - time.Second/2, Margin: time.Second / 2}},
		"ours is behind":     {10 * time.Minute, 0, 200, kie.Clock{Ahead: -10*time.Minute - time.Second/2, Margin: time.Second / 2}},
		"far away":           {0, 2 * time.Second, 200, kie.Clock{Ahead: -time.Second / 2, Margin: 5 * time.Second / 2}},
		"an error, in words": {0, 0, 500, kie.Clock{Ahead: -time.Second / 2, Margin: time.Second / 2}},
		"a blocking CDN":     {0, 0, 403, kie.Clock{Ahead: -time.Second / 2, Margin: time.Second / 2}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var asked *http.Request
				got, err := kie.CompareClocks(t.Context(), kie.Options{APIKey: testKey, BaseURL: "https://kie.example/v", Transport: roundTrip(func(request *http.Request) (*http.Response, error) {
					asked = request
					time.Sleep(test.way)
					date := time.Now().Add(test.kie).UTC().Format(http.TimeFormat)
					time.Sleep(test.way)
					return reply{status: test.status, header: http.Header{"Date": {date}}}.response(request), nil
				})})
				require.NoError(t, err)
				assert.Equal(t, test.want, got)
				assert.Equal(t, "https://kie.example/v/api/v1/chat/credit", asked.URL.String())
				assert.Empty(t, asked.Header.Get("Authorization"), "the time is no secret")
				assert.Contains(t, asked.UserAgent(), "lumaflow/")
			})
		})
	}
}

func TestCompareClocksErrors(t *testing.T) {
	for name, date := range map[string][]string{"no date": nil, "not a date": {"yesterday"}} {
		_, err := kie.CompareClocks(t.Context(), kie.Options{Transport: roundTrip(func(request *http.Request) (*http.Response, error) {
			return reply{status: 200, header: http.Header{"Date": date}}.response(request), nil
		})})
		assert.Equal(t, kie.Temporary, requireError(t, err).Class, name)
		assert.ErrorContains(t, err, "Date", name)
	}

	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		_, err := kie.CompareClocks(t.Context(), kie.Options{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			attempts++
			return nil, errors.New("no route")
		})})
		assert.Equal(t, kie.Temporary, requireError(t, err).Class)
		assert.Equal(t, 3, attempts)
	})

	_, err := kie.CompareClocks(t.Context(), kie.Options{BaseURL: "secret"})
	require.ErrorContains(t, err, "KIE_BASE_URL")
	assert.NotContains(t, err.Error(), "secret")
}
