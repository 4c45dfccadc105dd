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

// synctest starts its clock at midnight, so that the Date headers lose no
// fraction of a second.
func TestCompareClocks(t *testing.T) {
	tests := map[string]struct {
		ahead  time.Duration // of kie.ai's clock
		delay  time.Duration // of the request, and of the response
		status int
		want   kie.Clock
	}{
		"the same":        {0, 0, 200, kie.Clock{Ahead: -time.Second / 2, Margin: time.Second / 2}},
		"ours is ahead":   {-10 * time.Minute, 0, 200, kie.Clock{Ahead: 10*time.Minute - time.Second/2, Margin: time.Second / 2}},
		"ours is behind":  {10 * time.Minute, 0, 200, kie.Clock{Ahead: -10*time.Minute - time.Second/2, Margin: time.Second / 2}},
		"far away":        {0, 2 * time.Second, 200, kie.Clock{Ahead: -time.Second / 2, Margin: 5 * time.Second / 2}},
		"an error status": {0, 0, 500, kie.Clock{Ahead: -time.Second / 2, Margin: time.Second / 2}},
		"a blocking CDN":  {0, 0, 403, kie.Clock{Ahead: -time.Second / 2, Margin: time.Second / 2}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var sent *http.Request
				got, err := kie.CompareClocks(t.Context(), kie.Options{APIKey: testKey, BaseURL: "https://kie.example/v", Transport: roundTrip(func(request *http.Request) (*http.Response, error) {
					sent = request
					time.Sleep(test.delay)
					date := time.Now().Add(test.ahead).UTC().Format(http.TimeFormat)
					time.Sleep(test.delay)
					return reply{status: test.status, header: http.Header{"Date": {date}}}.response(request), nil
				})})
				require.NoError(t, err)
				assert.Equal(t, test.want, got)
				assert.Equal(t, "https://kie.example/v/api/v1/chat/credit", sent.URL.String())
				assert.Empty(t, sent.Header.Get("Authorization"), "the request needs no key")
				assert.Contains(t, sent.UserAgent(), "lumaflow/")
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
		require.ErrorContains(t, err, "Date", name)
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
