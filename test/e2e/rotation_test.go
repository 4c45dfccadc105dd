package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie"
	"lumaflow/internal/kie/kietest"
	"lumaflow/internal/temporal/dial"
	"lumaflow/workflows"
)

// rotation is a fleet whose secrets are replaced while four jobs a second begin.
type rotation struct {
	*fleet
	load *steady
	// begun are the jobs that are not collected yet, and what they were charged
	// for; collected is how many are.
	begun     []begun
	collected int
}

// begun is a job and its prompt.
type begun struct{ id, prompt string }

func newRotation(t *testing.T, secrets []string, simulate ...string) *rotation {
	t.Helper()
	r := &rotation{fleet: newFleet(t, setup{env: secrets, simulate: append(simulate, "--rate-limit", "0")})}
	r.stream("0")
	return r
}

// give sets secrets for what is started from now on. Who starts the jobs has
// them at once.
func (r *rotation) give(step string, secrets ...string) {
	r.t.Helper()
	r.env = append(slices.Clip(r.env), secrets...)
	r.stream(step)
}

// stream has another stream of jobs take over, with the codec keys of now.
func (r *rotation) stream(step string) {
	r.t.Helper()
	through := settings{"TEMPORAL_ADDRESS": address}
	for _, variable := range r.env {
		if keys, ok := strings.CutPrefix(variable, "CODEC_KEYS="); ok {
			through["CODEC_KEYS"] = keys
		}
	}
	dialled, err := dial.Temporal(r.t.Context(), dial.Options{Env: through})
	require.NoError(r.t, err)
	r.t.Cleanup(dialled.Close)
	r.client = dialled
	next := r.keepStarting("e2e-secrets-"+step, time.Second/4)
	r.t.Cleanup(next.stop)
	r.end()
	r.load = next
}

// end ends the stream of jobs.
func (r *rotation) end() {
	r.t.Helper()
	if r.load == nil {
		return
	}
	r.load.stop()
	require.NoError(r.t, r.load.err)
	for _, id := range r.load.started() {
		r.begun = append(r.begun, begun{id, id})
	}
	r.load = nil
}

// one starts one more job.
func (r *rotation) one(prompt string) begun {
	r.t.Helper()
	job := begun{r.submitted(prompt), prompt}
	r.begun = append(r.begun, job)
	return job
}

// waiting starts one more job, and returns when it is in a stage in which only
// its callback wakes it, which comes when the account releases it.
func (r *rotation) waiting(prompt string, stage workflows.Stage) begun {
	r.t.Helper()
	job := r.one(prompt + " [render: held]")
	r.reaches(job, stage)
	return job
}

func (r *rotation) reaches(job begun, stage workflows.Stage) {
	r.t.Helper()
	r.until(job.prompt+" is "+string(stage), func() bool {
		status, ok := r.status(job.id)
		return ok && status.Stage == stage
	})
}

// release has the callbacks of waiting jobs come. Each must be taken at once.
func (r *rotation) release(jobs ...begun) {
	r.t.Helper()
	r.tell("release", struct{}{})
	for _, job := range jobs {
		var charge kietest.Charge
		r.until("the callback of "+job.prompt+" is over", func() bool {
			charge = r.charge(job.prompt)
			return charge.Settled
		})
		require.Equal(r.t, 1, charge.Callbacks.Sent, "answered at once: %s", job.prompt)
		require.Equal(r.t, 1, charge.Callbacks.Acknowledged)
	}
}

// keys are those of the account at kie.ai.
type keys struct {
	API  []string `json:"apiKeys,omitempty"`
	HMAC string   `json:"hmacKey,omitempty"`
}

// collect waits for jobs that have begun: each must have ended with its file and
// one charge.
func (r *rotation) collect(jobs []begun) {
	r.t.Helper()
	for _, job := range jobs {
		result, err := r.result(job.id)
		require.NoError(r.t, err, job.id)
		r.verified(result, r.charge(job.prompt))
	}
	r.collected += len(jobs)
}

// noneOpen waits until none of these jobs is listed as open.
func (r *rotation) noneOpen(jobs []begun) {
	r.t.Helper()
	r.until("no job of before is listed as open", func() bool {
		var open []struct{ WorkflowID string }
		got := r.run("list", "--open", "--limit", "10000", "--json")
		if got.code != 0 || json.Unmarshal([]byte(got.out), &open) != nil {
			return false
		}
		for _, listed := range open {
			if slices.ContainsFunc(jobs, func(job begun) bool { return job.id == listed.WorkflowID }) {
				return false
			}
		}
		return true
	})
}

// calls posts the callback of a charge once more, signed with a key.
func (r *rotation) calls(charge kietest.Charge, key string) (status int) {
	r.t.Helper()
	body := fmt.Sprintf(`{"code":200,"msg":"success","data":{"taskId":%q}}`, charge.TaskID)
	request, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, charge.CallBackURL, strings.NewReader(body))
	require.NoError(r.t, err)
	request.Header.Set("Content-Type", "application/json")
	timestamp, signature := kie.Sign(key, charge.TaskID, time.Now())
	request.Header.Set(kie.TimestampHeader, timestamp)
	request.Header.Set(kie.SignatureHeader, signature)
	response, err := http.DefaultClient.Do(request)
	require.NoError(r.t, err)
	require.NoError(r.t, response.Body.Close())
	return response.StatusCode
}
