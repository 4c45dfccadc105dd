package e2e_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/workflows"
)

// The secrets of this test. None of them may be in a log.
const (
	oldSecret = "the callback secret of before and longer than thirty-two bytes"
	newSecret = "the callback secret of after and longer than thirty-two bytes"
	hmacA     = "webhook-hmac-key-a"
	hmacB     = "webhook-hmac-key-b"
	hmacC     = "webhook-hmac-key-c"
	apiFirst  = "first-api-key-of-the-account"
	apiSecond = "second-api-key-of-the-account"
	apiThird  = "third-api-key-of-the-account"
)

// Four secrets are replaced by the steps of docs/operations.md, while jobs start all
// the time and some wait for their callback during a step. Each job ends with its
// file and one charge, each callback is acknowledged at the first attempt, and only
// a deleted API key holds a job.
func TestSecretRotation(t *testing.T) {
	t.Parallel()
	k1, k2 := codecKey("k1", 1), codecKey("k2", 2)
	began := time.Now()
	r := newRotation(t, []string{
		"CALLBACK_SECRET=" + oldSecret, "KIE_WEBHOOK_HMAC_KEY=" + hmacA, "CODEC_KEYS=" + k1, "KIE_API_KEY=" + apiFirst,
		// Only a callback wakes a job.
		"POLL_AFTER=1h",
	}, "--api-key", apiFirst, "--hmac-key", hmacA, "--retry-after", "2s")

	// Step 1: all roles have the new secrets, and no signature is required.
	plain, lost := r.startHeld("across 1", workflows.StageWaiting), r.startHeld("across 1 [fault: response-lost]", workflows.StageSubmitUnknown)
	r.control("keys", keys{API: []string{apiFirst, apiSecond}})
	r.setSecrets("1", "CALLBACK_SECRET="+oldSecret+","+newSecret, "KIE_WEBHOOK_HMAC_KEY=", "CODEC_KEYS="+k1+","+k2, "KIE_API_KEY="+apiSecond)
	r.restart("worker", "webhook")
	r.control("keys", keys{API: []string{apiSecond}, HMAC: hmacB})
	r.release(plain, lost)

	// Step 2: all roles use them. The webhooks accept the next HMAC key already.
	plain, lost = r.startHeld("across 2", workflows.StageWaiting), r.startHeld("across 2 [fault: response-lost]", workflows.StageSubmitUnknown)
	r.setSecrets("2", "CALLBACK_SECRET="+newSecret+","+oldSecret, "KIE_WEBHOOK_HMAC_KEY="+hmacB+","+hmacC, "CODEC_KEYS="+k2+","+k1)
	r.restart("webhook", "worker")
	r.control("keys", keys{HMAC: hmacC})
	r.restartLoad("3")
	before := r.jobs
	r.jobs = nil
	r.release(plain, lost)
	r.verifyJobs(before)
	r.awaitNoneOpen(before)
	require.Zero(t, r.ledger().Refused[http.StatusUnauthorized], "no job met a deleted key")

	// The API key is deleted before the workers have the next one.
	polled := r.startHeld("across 3", workflows.StageWaiting)
	r.control("keys", keys{API: []string{apiThird}})
	r.release(polled)
	r.until("the record is requested with the deleted key", func() bool {
		described, err := r.client.DescribeWorkflow(t.Context(), polled.id, "")
		return err == nil && len(described.RawResponse.GetPendingActivities()) == 1 && described.RawResponse.GetPendingActivities()[0].GetAttempt() > 1
	})
	held := r.startJob("begun without a key")
	r.awaitStage(held, workflows.StageHeld)
	require.Contains(t, r.run("status", held.id).out, "kie.ai does not accept the API key")

	// Step 3: no earlier job is open, so the old secrets are removed.
	r.setSecrets("4", "CALLBACK_SECRET="+newSecret, "KIE_WEBHOOK_HMAC_KEY="+hmacC, "CODEC_KEYS="+k2, "KIE_API_KEY="+apiThird)
	r.restart("worker", "webhook")
	r.stopLoad()
	r.verifyJobs(r.jobs)
	r.requireOneCallbackEach(r.verifiedJobs)

	charges := r.ledger().Tasks
	first, last := charges[0], charges[len(charges)-1]
	for range r.running["webhook"] {
		assert.Equal(t, http.StatusUnauthorized, r.postCallback(first, hmacC), "an old callback address")
		assert.Equal(t, http.StatusUnauthorized, r.postCallback(last, hmacB), "an old signature")
		assert.Equal(t, http.StatusOK, r.postCallback(last, hmacC))
	}
	for _, p := range r.all {
		for _, secret := range []string{oldSecret, newSecret, hmacA, hmacB, hmacC, apiFirst, apiSecond, apiThird, codecKey("", 1), codecKey("", 2)} {
			require.NotContains(t, p.output(), secret, p.name)
		}
		require.NotContains(t, p.output(), "CODEC_KEYS", "no %s lacked a key", p.name)
	}
	t.Logf("%d jobs in %s while 12 processes were replaced", r.verifiedJobs, time.Since(began).Round(time.Second))
}
