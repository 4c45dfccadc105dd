package e2e_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/workflows"
)

// The secrets of this test. None of them may be seen in a log.
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

// Four secrets are replaced as docs/operations.md says, while jobs begin all the
// time and some wait for their callback from before a step until after it. Each
// job ends with its file and one charge, each callback is taken when it comes for
// the first time, and nothing but a deleted API key holds a job.
func TestReplacingSecrets(t *testing.T) {
	t.Parallel()
	k1, k2 := codecKey("k1", 1), codecKey("k2", 2)
	began := time.Now()
	r := newRotation(t, []string{
		"CALLBACK_SECRET=" + oldSecret, "KIE_WEBHOOK_HMAC_KEY=" + hmacA, "CODEC_KEYS=" + k1, "KIE_API_KEY=" + apiFirst,
		// Nothing but a callback wakes a job.
		"POLL_AFTER=1h",
	}, "--api-key", apiFirst, "--hmac-key", hmacA, "--retry-after", "2s")

	// Step 1: all know the new secrets, and no signature is asked for.
	plain, lost := r.waiting("across 1", workflows.StageWaiting), r.waiting("across 1 [fault: response-lost]", workflows.StageSubmitUnknown)
	r.tell("keys", keys{API: []string{apiFirst, apiSecond}})
	r.give("1", "CALLBACK_SECRET="+oldSecret+","+newSecret, "KIE_WEBHOOK_HMAC_KEY=", "CODEC_KEYS="+k1+","+k2, "KIE_API_KEY="+apiSecond)
	r.restart("worker", "webhook")
	r.tell("keys", keys{API: []string{apiSecond}, HMAC: hmacB})
	r.release(plain, lost)

	// Step 2: all use them. The next HMAC key is chosen beforehand.
	plain, lost = r.waiting("across 2", workflows.StageWaiting), r.waiting("across 2 [fault: response-lost]", workflows.StageSubmitUnknown)
	r.give("2", "CALLBACK_SECRET="+newSecret+","+oldSecret, "KIE_WEBHOOK_HMAC_KEY="+hmacB+","+hmacC, "CODEC_KEYS="+k2+","+k1)
	r.restart("webhook", "worker")
	r.tell("keys", keys{HMAC: hmacC})
	r.stream("3")
	before := r.begun
	r.begun = nil
	r.release(plain, lost)
	r.collect(before)
	r.noneOpen(before)
	require.Zero(t, r.ledger().Refused[http.StatusUnauthorized], "no job met a deleted key")

	// The API key is deleted before the workers have another.
	polled := r.waiting("across 3", workflows.StageWaiting)
	r.tell("keys", keys{API: []string{apiThird}})
	r.release(polled)
	r.until("the record is asked for with the deleted key", func() bool {
		described, err := r.client.DescribeWorkflow(t.Context(), polled.id, "")
		return err == nil && len(described.RawResponse.GetPendingActivities()) == 1 && described.RawResponse.GetPendingActivities()[0].GetAttempt() > 1
	})
	held := r.one("begun without a key")
	r.reaches(held, workflows.StageHeld)
	require.Contains(t, r.run("status", held.id).out, "kie.ai does not accept the API key")

	// Step 3: no job of before is open, so the old secrets go.
	r.give("4", "CALLBACK_SECRET="+newSecret, "KIE_WEBHOOK_HMAC_KEY="+hmacC, "CODEC_KEYS="+k2, "KIE_API_KEY="+apiThird)
	r.restart("worker", "webhook")
	r.end()
	r.collect(r.begun)
	r.answeredAtOnce(r.collected)

	charges := r.ledger().Tasks
	first, last := charges[0], charges[len(charges)-1]
	for range r.running["webhook"] {
		assert.Equal(t, http.StatusUnauthorized, r.calls(first, hmacC), "an address of before")
		assert.Equal(t, http.StatusUnauthorized, r.calls(last, hmacB), "a signature of before")
		assert.Equal(t, http.StatusOK, r.calls(last, hmacC))
	}
	for _, p := range r.all {
		for _, unsaid := range []string{oldSecret, newSecret, hmacA, hmacB, hmacC, apiFirst, apiSecond, apiThird, codecKey("", 1), codecKey("", 2)} {
			require.NotContains(t, p.output(), unsaid, p.name)
		}
		require.NotContains(t, p.output(), "CODEC_KEYS", "no %s lacked a key", p.name)
	}
	t.Logf("%d jobs in %s while 12 processes were replaced", r.collected, time.Since(began).Round(time.Second))
}
