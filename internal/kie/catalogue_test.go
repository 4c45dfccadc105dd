package kie_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie"
)

func TestPrice(t *testing.T) {
	for body, want := range map[string]string{
		`{"code":200,"data":{"model":"m","pricingDesc":"80 credits"}}`: "80 credits",
		`{"code":200,"data":{"model":"m","pricingDesc":null}}`:         "",
	} {
		got, err := answering(t, body).Price(t.Context(), "m")
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for body, class := range map[string]kie.Class{
		`{"code":404,"msg":"Model not found","data":null}`: kie.NotFound,
		`{"code":401,"msg":"no"}`:                          kie.Temporary,
		`{"code":200,"data":null}`:                         kie.Temporary,
		`<html>`:                                           kie.Temporary,
	} {
		_, err := answering(t, body).Price(t.Context(), "m")
		assert.Equal(t, class, kie.ClassOf(err), body)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }

// kie.ai accepts one request a second for the whole catalogue, which a repeated request
// keeps, too. Other requests do not wait.
func TestCatalogueIsPaced(t *testing.T) {
	for base, prefix := range map[string]string{"https://kie.test": "", "https://kie.test/proxy": "/proxy"} {
		t.Run(base, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { catalogueIsPaced(t, base, prefix+"/api/v1/models/acme/m/") })
		})
	}
}

func catalogueIsPaced(t *testing.T, base, entry string) {
	var last time.Time
	var paths []string
	client, err := kie.New(kie.Options{BaseURL: base, APIKey: "test-key", Transport: roundTripper(func(request *http.Request) (*http.Response, error) {
		answer := `{"code":200,"data":{"model":"acme/m","pricingDesc":"p"}}`
		if strings.Contains(request.URL.Path, "/v1/models/") {
			assert.GreaterOrEqual(t, time.Since(last), time.Second, request.URL.Path)
			last = time.Now()
			paths = append(paths, request.URL.Path)
		} else {
			answer = `{"code":200,"data":7}`
		}
		if len(paths) == 1 {
			answer = `{"code":500,"msg":"again"}`
		}
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(answer)), Request: request}, nil
	})})
	require.NoError(t, err)
	price, err := client.Price(t.Context(), "acme/m")
	require.NoError(t, err)
	require.Equal(t, "p", price)
	_, err = client.Check(t.Context(), kie.SubmitRequest{Model: "acme/m", Prompt: "p"}, true)
	require.NoError(t, err)
	price, err = client.Price(t.Context(), "acme/m")
	require.NoError(t, err)
	require.Equal(t, "p", price)
	require.Equal(t, []string{entry + "price", entry + "price", entry + "schema", entry + "price"}, paths)
	before := time.Now()
	_, err = client.Credit(t.Context())
	require.NoError(t, err)
	require.Zero(t, time.Since(before))

	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err = client.Price(ctx, "acme/m")
	require.Equal(t, kie.Temporary, kie.ClassOf(err))
	require.Len(t, paths, 4, "a caller without time sends nothing")
}
