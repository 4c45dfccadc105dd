package kie_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie"
)

// A task is unknown only if every family answered so, in whatever order they are asked.
func TestFindRecordIsNotFoundOnlyFromAllFamilies(t *testing.T) {
	const none, off = `{"code":422,"msg":"recordInfo is null"}`, `{"code":505,"msg":"off"}`
	for name, test := range map[string]struct {
		off  string
		want kie.Class
	}{
		"all":           {"", kie.NotFound},
		"first refuses": {"/api/v1/modify/record-info", kie.Refused},
		"later refuses": {"/api/v1/jobs/recordInfo", kie.Refused},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				answer := none
				if r.URL.Path == test.off {
					answer = off
				}
				_, _ = w.Write([]byte(answer))
			}))
			t.Cleanup(server.Close)
			client, err := kie.New(kie.Options{BaseURL: server.URL, APIKey: "test-key"})
			require.NoError(t, err)
			_, err = client.FindRecord(t.Context(), taskID)
			require.Equal(t, test.want, kie.ClassOf(err))
		})
	}
}
