package webhook_test

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
)

// A stopping webhook is not ready and answers the callback in flight.
func TestNotReadyDuringTheDrain(t *testing.T) {
	server := startTemporal(t)
	server.signals = make(chan *workflowservice.SignalWorkflowExecutionRequest)
	t.Setenv("CALLBACK_SECRET", secret)
	address, log, stop, ended := startCommand(t, "--webhook-listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0")

	send := func(method, url, body string) (status int, text string, err error) {
		request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		if err != nil {
			return 0, "", err
		}
		request.Close = true
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return 0, "", err
		}
		defer response.Body.Close()
		answer, err := io.ReadAll(response.Body)
		return response.StatusCode, string(answer), err
	}
	metricsURL := "http://" + regexp.MustCompile(`metrics and health listening" address=(\S+)`).FindStringSubmatch(log.String())[1]
	status, text, err := send(http.MethodGet, metricsURL+"/readyz", "")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status, text)

	answered := make(chan int, 1)
	callback := "http://" + address + newFixture(t).path("luma-1")
	go func() {
		status, _, err := send(http.MethodPost, callback, success("t"))
		assert.NoError(t, err)
		answered <- status
	}()
	require.Eventually(t, func() bool { return server.timeout.Load() > 0 }, waitFor, tick, "the signal is in flight")
	stop()
	require.Eventually(t, func() bool {
		status, text, err := send(http.MethodGet, metricsURL+"/readyz", "")
		return err == nil && status == http.StatusServiceUnavailable && text == "draining\n"
	}, waitFor, tick)
	status, _, err = send(http.MethodGet, metricsURL+"/healthz", "")
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, status, "alive during the drain")
	<-server.signals
	assert.Equal(t, http.StatusOK, <-answered)
	require.NoError(t, <-ended)
}
