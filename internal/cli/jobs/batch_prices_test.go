package jobs_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/command"
	"lumaflow/internal/kie/kietest"
	"lumaflow/starter"
	"lumaflow/test/startertest"
)

const wan = `{"prompt":"snow","videoUrl":"https://example.org/in.mp4","model":"wan/2-7-videoedit"}`

// A plan shows kie.ai's text about each model that is to be paid.
func TestPricesOfAPlan(t *testing.T) {
	simulated, err := kietest.New(kietest.Options{})
	require.NoError(t, err)
	defer simulated.Close()
	requests := 0
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++
		simulated.ServeHTTP(w, r)
	}))
	defer host.Close()
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"code":433,"msg":"cap"}`)) }))
	defer broken.Close()

	c := batchCommand(batchFile(t, "shots.jsonl", snow, wan, rain, `{"taskId":"t","model":"aleph"}`))
	c.Plan, c.ID, c.KieAPIKey, c.KieBaseURL = true, "b", kieKey, host.URL
	plan := func() string {
		t.Helper()
		streams, out, _ := newStreams("")
		require.NoError(t, c.RunOn(t.Context(), starter.New(startertest.New(t), starter.Options{}), streams))
		return out.String()
	}
	shown := plan()
	assert.Contains(t, shown, "kie.ai's text  luma, 2 to be paid: none\n")
	assert.Contains(t, shown, "kie.ai's text  wan/2-7-videoedit, 1 to be paid: \"720p: 80 credits ($0.40)\"\n")
	assert.Contains(t, shown, "price          unknown: give --price-per-job\n", "the text is not parsed")
	assert.NotContains(t, shown, "aleph", "a collection costs nothing")
	require.Equal(t, 2, requests)

	c.JSON = true
	var planned struct {
		Price     *float64
		KiePrices []struct {
			Model, Text string
			Submissions int
		}
	}
	require.NoError(t, json.Unmarshal([]byte(plan()), &planned))
	require.Nil(t, planned.Price)
	require.Equal(t, "720p: 80 credits ($0.40)", planned.KiePrices[1].Text)

	c.JSON, c.KieBaseURL = false, broken.URL
	assert.Contains(t, plan(), "wan/2-7-videoedit, 1 to be paid: unavailable\n")

	c.KieBaseURL, requests = host.URL, 0
	c.PricePerJob = 1
	assert.NotContains(t, plan(), "kie.ai's text")
	c.PricePerJob, c.KieAPIKey = 0, ""
	assert.NotContains(t, plan(), "kie.ai's text")
	require.Zero(t, requests)

	c.KieAPIKey, c.KieBaseURL = kieKey, "ftp://kie.test"
	streams, _, _ := newStreams("")
	err = c.RunOn(t.Context(), starter.New(startertest.New(t), starter.Options{}), streams)
	require.Equal(t, command.ExitUsage, command.ExitCode(err), "%v", err)
}
