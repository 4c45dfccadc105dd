package kie_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie"
	"lumaflow/internal/kie/kietest"
)

func TestCatalogue(t *testing.T) {
	client := simulated(t, kietest.Options{})
	all, err := client.Catalogue(t.Context(), "")
	require.NoError(t, err)
	assert.Greater(t, len(all), 5)
	found, err := client.Catalogue(t.Context(), "videoedit")
	require.NoError(t, err)
	assert.Equal(t, []kie.Listed{{Name: "wan/2-7-videoedit", TaskTypes: []string{"Video to Video"}, Price: "720p: 80 credits ($0.40)"}}, found)
	none, err := client.Catalogue(t.Context(), "luma")
	require.NoError(t, err, "nothing found is no error")
	assert.Empty(t, none)

	price, err := client.Price(t.Context(), "acme/restyle")
	require.NoError(t, err)
	assert.Equal(t, "10 credits ($0.05)", price)
	_, err = client.Price(t.Context(), "acme/none")
	assert.Equal(t, kie.NotFound, kie.ClassOf(err))

	percent, known, err := client.SuccessRate(t.Context(), "acme/restyle")
	require.NoError(t, err)
	assert.True(t, known)
	assert.InDelta(t, 97.5, percent, 0.01)
}

// answeringInTurn is a client of a server that gives these answers, the last one for ever, and
// the number of requests.
func answeringInTurn(t *testing.T, answers ...string) (*kie.Client, *atomic.Int64) {
	t.Helper()
	requests := new(atomic.Int64)
	transport := roundTrip(func(request *http.Request) (*http.Response, error) {
		recorded := httptest.NewRecorder()
		_, _ = recorded.WriteString(answers[min(int(requests.Add(1)), len(answers))-1])
		return recorded.Result(), nil
	})
	client, err := kie.New(kie.Options{BaseURL: "https://api.example.org", APIKey: "test-key", Transport: transport})
	require.NoError(t, err)
	return client, requests
}

// Another process uses the account's one request a second, too.
func TestCatalogueIsRateLimited(t *testing.T) {
	const tooMany = `{"code":429,"msg":"too many"}`
	for name, test := range map[string]struct {
		answers  []string
		class    kie.Class
		requests int64
	}{
		"twice over the limit": {[]string{tooMany, tooMany, `{"code":200,"data":{"pricingDesc":"10 credits"}}`}, 0, 3},
		"always":               {[]string{tooMany}, kie.Temporary, 4},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, requests := answeringInTurn(t, test.answers...)
				started := time.Now()
				_, err := client.Price(t.Context(), "a/b")
				assert.Equal(t, test.class, kie.ClassOf(err))
				assert.Equal(t, test.requests, requests.Load())
				assert.GreaterOrEqual(t, time.Since(started), time.Duration(test.requests-1)*time.Second)
			})
		})
	}
}

func TestMalformedCatalogue(t *testing.T) {
	for _, body := range []string{`{"code":200,"data":{"models":"x","points":7}}`, `{"code":200,"data":null}`, `{"code":200,"data":[]}`, `<html>`, ``} {
		synctest.Test(t, func(t *testing.T) {
			client, _ := answeringInTurn(t, body)
			_, err := client.Catalogue(t.Context(), "")
			require.Error(t, err, body)
			_, known, err := client.SuccessRate(t.Context(), "a")
			require.Error(t, err, body)
			assert.False(t, known)
		})
	}
	client, _ := answeringInTurn(t, `{"code":200,"data":{"points":[{"successRate":null},{"successRate":1e9},{"successRate":-1}],"models":[{"model":""},7,{"model":"a","taskType":"x"}]}}`)
	_, known, err := client.SuccessRate(t.Context(), "a")
	require.NoError(t, err)
	assert.False(t, known)
}
