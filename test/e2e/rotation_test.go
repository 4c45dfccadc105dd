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

// rotation is a fleet whose secrets are replaced while four jobs a second start.
type rotation struct {
	*fleet
	stream *load
	// jobs are the started jobs that are not verified yet; verifiedJobs counts the
	// others.
	jobs         []startedJob
	verifiedJobs int
}

type startedJob struct{ id, prompt string }

func newRotation(t *testing.T, secrets []string, simulate ...string) *rotation {
	t.Helper()
	r := &rotation{fleet: newFleet(t, setup{env: secrets, simulate: append(simulate, "--rate-limit", "0")})}
	r.restartLoad("0")
	return r
}

// setSecrets sets the secrets of processes that start later, and restarts the load
// with them.
func (r *rotation) setSecrets(step string, secrets ...string) {
	r.t.Helper()
	r.env = append(slices.Clip(r.env), secrets...)
	r.restartLoad(step)
}

// restartLoad replaces the load by one with the current codec keys.
func (r *rotation) restartLoad(step string) {
	r.t.Helper()
	env := settings{"TEMPORAL_ADDRESS": address}
	for _, variable := range r.env {
		if keys, ok := strings.CutPrefix(variable, "CODEC_KEYS="); ok {
			env["CODEC_KEYS"] = keys
		}
	}
	dialled, err := dial.Temporal(r.t.Context(), dial.Options{Env: env})
	require.NoError(r.t, err)
	r.t.Cleanup(dialled.Close)
	r.client = dialled
	next := r.keepStarting("e2e-secrets-"+step, time.Second/4)
	r.t.Cleanup(next.stop)
	r.stopLoad()
	r.stream = next
}

// stopLoad stops the load and adds its jobs to r.jobs.
func (r *rotation) stopLoad() {
	r.t.Helper()
	if r.stream == nil {
		return
	}
	r.stream.stop()
	require.NoError(r.t, r.stream.err)
	for _, id := range r.stream.started() {
		r.jobs = append(r.jobs, startedJob{id, id})
	}
	r.stream = nil
}

// startJob starts one more job.
func (r *rotation) startJob(prompt string) startedJob {
	r.t.Helper()
	job := startedJob{r.submitted(prompt), prompt}
	r.jobs = append(r.jobs, job)
	return job
}

// startHeld starts a job whose generation waits for release, and returns when the
// job is in a stage in which only its callback wakes it.
func (r *rotation) startHeld(prompt string, stage workflows.Stage) startedJob {
	r.t.Helper()
	job := r.startJob(prompt + " [render: held]")
	r.awaitStage(job, stage)
	return job
}

func (r *rotation) awaitStage(job startedJob, stage workflows.Stage) {
	r.t.Helper()
	r.until(job.prompt+" is "+string(stage), func() bool {
		status, ok := r.status(job.id)
		return ok && status.Stage == stage
	})
}

// release completes the held generations. Each callback must be acknowledged at
// the first attempt.
func (r *rotation) release(jobs ...startedJob) {
	r.t.Helper()
	r.control("release", struct{}{})
	for _, job := range jobs {
		var charge kietest.Charge
		r.until("the callback of "+job.prompt+" is sent", func() bool {
			charge = r.charge(job.prompt)
			return charge.Settled
		})
		require.Equal(r.t, 1, charge.Callbacks.Sent, "acknowledged at the first attempt: %s", job.prompt)
		require.Equal(r.t, 1, charge.Callbacks.Acknowledged)
	}
}

// keys are the keys of the account at kie.ai.
type keys struct {
	API  []string `json:"apiKeys,omitempty"`
	HMAC string   `json:"hmacKey,omitempty"`
}

// verifyJobs waits for jobs: each must end with its file and one charge.
func (r *rotation) verifyJobs(jobs []startedJob) {
	r.t.Helper()
	for _, job := range jobs {
		result, err := r.result(job.id)
		require.NoError(r.t, err, job.id)
		r.verified(result, r.charge(job.prompt))
	}
	r.verifiedJobs += len(jobs)
}

// awaitNoneOpen waits until none of the jobs is listed as open.
func (r *rotation) awaitNoneOpen(jobs []startedJob) {
	r.t.Helper()
	r.until("no earlier job is listed as open", func() bool {
		var open []struct{ WorkflowID string }
		got := r.run("list", "--open", "--limit", "10000", "--json")
		if got.code != 0 || json.Unmarshal([]byte(got.out), &open) != nil {
			return false
		}
		for _, listed := range open {
			if slices.ContainsFunc(jobs, func(job startedJob) bool { return job.id == listed.WorkflowID }) {
				return false
			}
		}
		return true
	})
}

// postCallback posts the callback of a charge again, signed with a key.
func (r *rotation) postCallback(charge kietest.Charge, key string) (status int) {
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
