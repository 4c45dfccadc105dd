package kie_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie"
)

// The permit precedes the first byte of the request, over every kind of connection.
func TestPermit(t *testing.T) {
	withdrawn := errors.New("the attempt was given up")
	tests := map[string]struct {
		tls, opaque bool
		permit      error
	}{
		"plain, permitted":            {},
		"plain, withdrawn":            {permit: withdrawn},
		"TLS, permitted":              {tls: true},
		"TLS, withdrawn":              {tls: true, permit: withdrawn},
		"unobservable, permitted":     {opaque: true},
		"unobservable, not permitted": {opaque: true, permit: withdrawn},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var requests, permits atomic.Int32
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				assert.Equal(t, int32(1), permits.Load(), "before the request")
				requests.Add(1)
				_, _ = io.Copy(io.Discard, r.Body)
				_, _ = io.WriteString(w, `{"code":200,"data":{"taskId":"0123456789abcdef0123456789abcdef"}}`)
			}))
			if test.tls {
				server.StartTLS()
			} else {
				server.Start()
			}
			defer server.Close()
			options := kie.Options{BaseURL: server.URL, Transport: server.Client().Transport}
			if test.opaque {
				transport := server.Client().Transport
				options.Transport = roundTrip(transport.RoundTrip)
			}
			_, err := newClient(t, options).Submit(t.Context(), kie.SubmitRequest{Permit: func() error {
				permits.Add(1)
				return test.permit
			}})
			assert.Equal(t, int32(1), permits.Load())
			if test.permit == nil {
				require.NoError(t, err)
				return
			}
			require.Equal(t, kie.NotSent, kie.ClassOf(err))
			require.ErrorIs(t, err, withdrawn)
			require.Zero(t, requests.Load())
		})
	}
}
