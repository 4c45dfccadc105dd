package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"

	"lumaflow/internal/kie/kietest"
	"lumaflow/workflows"
)

// submitTo submits a task without lumaflow, with a callback URL.
func (w *world) submitTo(callbackURL, prompt string) {
	w.t.Helper()
	body, err := json.Marshal(callbackURL)
	require.NoError(w.t, err)
	status := w.post(w.simURL+"/api/v1/modify/generate", inputWith(prompt, `"callBackUrl":`+string(body)))
	require.Equal(w.t, http.StatusOK, status)
}

// post posts JSON with the key of the account.
func (w *world) post(address, body string) (status int) {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, address, strings.NewReader(body))
	require.NoError(w.t, err)
	request.Header.Set("Authorization", "Bearer "+apiKey)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	require.NoError(w.t, err)
	require.NoError(w.t, response.Body.Close())
	return response.StatusCode
}

func callbackFor(taskID string) string {
	return `{"code":200,"data":{"taskId":"` + taskID + `","resultUrls":["https://cdn.example.org/made-up.mp4"]}}`
}

// A callback on the URL of a running job names another task: one that was submitted
// with this URL is collected by a job of its own, a made-up one is not.
func TestCallbackForAnotherTask(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	const id = "e2e-another-task"
	prompt, others := id+" [render: held]", id+" of the same URL"
	w.start(id, jobInput(prompt))
	w.awaitJobStage(id, workflows.StageWaiting)
	address := w.charge(prompt).CallBackURL
	w.submitTo(address, others)
	madeUp := strings.Repeat("bad", 11)
	require.Equal(t, http.StatusOK, w.post(address, callbackFor(madeUp)))
	w.until("the callback of the other task is acknowledged", func() bool { return w.charge(others).Callbacks.Acknowledged > 0 })

	w.control("release", struct{}{})
	result, err := w.result(id)
	require.NoError(t, err)
	w.verified(result, w.charge(prompt))
	w.collected(w.charge(others))
	require.False(t, w.hasCollector(madeUp))
	require.Equal(t, 2, w.ledger().Charges)
	require.Empty(t, w.atRisk())
}

// A flood of made-up task ids on the URL of a job that is over costs a bounded
// number of jobs and of requests.
func TestFloodOfTaskIDs(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	const (
		id = "e2e-flood"
		// maxCollectors is the number of collecting jobs that one webhook starts for a
		// job in an hour, maxReads that of each one's look-ups of the task, each of which
		// reads a record of every family.
		maxCollectors, maxReads, families = 30, 30, 4
	)
	w.start(id, jobInput(id))
	result, err := w.result(id)
	require.NoError(t, err)
	address := w.charge(id).CallBackURL
	accepted := 0
	for n := range 100 {
		switch status := w.post(address, callbackFor(fmt.Sprintf("%032d", n))); status {
		case http.StatusOK:
			accepted++
		default:
			require.Equal(t, http.StatusServiceUnavailable, status)
		}
	}
	require.LessOrEqual(t, accepted, maxCollectors)
	count := func(query string) int64 {
		counted, err := w.client.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{
			Query: "TaskQueue = '" + w.taskQueue + "'" + query,
		})
		require.NoError(t, err)
		return counted.GetCount()
	}
	// A missing record is read again for two minutes.
	require.Eventually(t, func() bool { return count("") == int64(accepted)+1 && count(" AND ExecutionStatus = 'Running'") == 0 },
		2*patience, time.Second, "the collecting jobs end")
	require.LessOrEqual(t, w.ledger().UnknownPolls, maxCollectors*maxReads*families)
	require.Equal(t, 1, w.ledger().Charges)
	require.Empty(t, w.atRisk())
	w.verified(result, w.charge(id))
}

// A record without an echo, for good or at first, does not prevent the recovery of a
// lost task, and no second payment.
func TestRecordWithoutAnEcho(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	for _, fault := range []string{kietest.RecordWithoutEcho, kietest.RecordEchoLate} {
		for name, fields := range map[string]string{
			"fail":     `"onUnknownSubmit":"fail"`,
			"resubmit": `"onUnknownSubmit":"resubmit","recoveryWindow":"5s"`,
		} {
			t.Run(fault+", "+name, func(t *testing.T) {
				t.Parallel()
				w := *w
				w.t = t
				id := "e2e-" + fault + "-" + name
				prompt := kietest.WithFaults(id, kietest.ResponseLost, fault)
				w.start(id, inputWith(prompt, fields))
				result, err := w.result(id)
				require.NoError(t, err)
				charge := w.charge(prompt)
				require.Contains(t, charge.Met, fault, "the fault happened")
				w.verified(result, charge)
			})
		}
	}
}
