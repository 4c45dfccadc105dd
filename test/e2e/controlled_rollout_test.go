package e2e_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	sdkworker "go.temporal.io/sdk/worker"

	"lumaflow/internal/temporal/dial"
	"lumaflow/worker/replay"
	"lumaflow/workflows"
)

// The steps of docs/deploy.md by which temporal-worker-controller rolls a version out
// and back, with the commands of Temporal's CLI and the names of the controller: the
// gate on the new version, a ramp in steps, a way back during the ramp, and drainage.
func TestControlledRollout(t *testing.T) {
	t.Parallel()
	name := newDeployment("lumaflow/e2e-controlled")
	w := enter(t, setup{env: []string{"TEMPORAL_DEPLOYMENT_NAME=" + name, "TEMPORAL_WORKER_BUILD_ID=v1", "POLL_AFTER=40s"}})
	pids := map[string][]int{"v1": {w.worker.cmd.Process.Pid}}
	w.runSuggested(w.worker.awaitOutput("this version gets no new jobs: `(.*)`"))
	open := "e2e-controlled-open"
	w.untilOn("v1", "e2e-controlled-before", pids)
	w.start(open, jobInput(open+" [fault: callback-lost] [render: held]"))
	w.awaitJobStage(open, workflows.StageWaiting)
	w.awaitListed(2)

	// 1. Workers of the new version poll and get nothing but the gate.
	old := w.worker
	w.env = append(w.env, "TEMPORAL_WORKER_BUILD_ID=v2")
	w.startWorker()
	pids["v2"] = []int{w.worker.cmd.Process.Pid}
	w.worker.awaitOutput("this version gets no new jobs: `(.*)`")
	gate := w.gate(name, "v2")
	var counts replay.Tally
	require.NoError(t, gate.Get(t.Context(), &counts))
	require.Equal(t, replay.Tally{Open: 1, Closed: 1}, counts)
	require.Equal(t, "v2", w.ranOn(gate.GetID(), pids))

	// 2. The ramp: new jobs begin on either version, the open one stays.
	w.route("set-ramping-version", name, "--percentage", "99")
	w.untilOn("v2", "e2e-controlled-ramp", pids)

	// 3. Back during the ramp: new jobs begin on v1, those of v2 stay there.
	w.route("set-ramping-version", name, "--delete")
	w.untilOn("v1", "e2e-controlled-back", pids)

	// 4. Forward to the end; then v1 drains once its last job has ended.
	w.route("set-ramping-version", name, "--percentage", "50")
	w.route("set-current-version", name)
	require.Equal(t, "draining", w.drainage(name, "v1"))
	w.control("release", struct{}{})
	_, err := w.result(open)
	require.NoError(t, err)
	require.Equal(t, "v1", w.ranOn(open, pids))
	w.until("v1 is drained", func() bool { return w.drainage(name, "v1") == "drained" })
	require.Zero(t, old.stop())
}

// A build that can't replay an open job does not pass the gate, so no step follows.
func TestGateStopsARollout(t *testing.T) {
	t.Parallel()
	name, keys := newDeployment("lumaflow/e2e-stopped"), codecKey("studio", 1)
	w := enter(t, setup{noCallbacks: true, noWorker: true, env: []string{"CODEC_KEYS=" + keys, "TEMPORAL_DEPLOYMENT_NAME=" + name, "TEMPORAL_WORKER_BUILD_ID=v2"}})
	const id = "e2e-gate-other"
	w.startOnOtherCode(id)

	w.startWorker()
	gate := w.gate(name, "v2")
	withKeys, err := dial.Temporal(t.Context(), dial.Options{Env: settings{"TEMPORAL_ADDRESS": address, "CODEC_KEYS": keys}})
	require.NoError(t, err)
	defer withKeys.Close()
	err = withKeys.GetWorkflow(t.Context(), gate.GetID(), "").Get(t.Context(), nil)
	require.ErrorContains(t, err, "job "+id+" would break: its history has TimerStarted")

	// The job is gone: the gate of the same build runs again, under the same id.
	require.Zero(t, w.temporalCLI("workflow", "delete", "--workflow-id", id).code)
	w.awaitListed(0)
	w.reset(gate.GetID(), "FirstWorkflowTask")
	var counts replay.Tally
	require.NoError(t, withKeys.GetWorkflow(t.Context(), gate.GetID(), "").Get(t.Context(), &counts))
	require.Zero(t, counts)
}

// gate starts the gate as the controller does: without keys, on the task queue of the
// jobs, pinned to the version.
func (w *world) gate(deployment, build string) client.WorkflowRun {
	w.t.Helper()
	var run client.WorkflowRun
	w.until("the version can be pinned to", func() (ok bool) {
		var err error
		run, err = temporal.ExecuteWorkflow(w.t.Context(), client.StartWorkflowOptions{
			ID: fmt.Sprintf("test-%s:%s-%s", deployment, build, w.taskQueue), TaskQueue: w.taskQueue,
			VersioningOverride: &client.PinnedVersioningOverride{Version: sdkworker.WorkerDeploymentVersion{DeploymentName: deployment, BuildID: build}},
		}, replay.GateName)
		return err == nil
	})
	return run
}

// route changes the routing of a deployment.
func (w *world) route(command, deployment string, more ...string) {
	w.t.Helper()
	w.until(command, func() bool {
		return w.temporalCLI(append([]string{"worker", "deployment", command, "--deployment-name", deployment, "--build-id", "v2", "--yes"}, more...)...).code == 0
	})
}

// untilOn runs jobs until one began on a version: a ramp is a share, and a change of
// the routing takes a moment.
func (w *world) untilOn(build, prefix string, pids map[string][]int) {
	w.t.Helper()
	for n := range 50 {
		id := fmt.Sprintf("%s-%d", prefix, n)
		w.start(id, jobInput(id))
		result, err := w.result(id)
		require.NoError(w.t, err)
		w.verified(result, w.charge(id))
		if w.ranOn(id, pids) == build {
			return
		}
	}
	require.Fail(w.t, "no job began on "+build)
}

// drainage is the drainage status of a version.
func (w *world) drainage(deployment, build string) string {
	got := w.temporalCLI("worker", "deployment", "describe-version", "--deployment-name", deployment, "--build-id", build, "--output", "json")
	var described struct {
		DrainageInfo struct{ DrainageStatus string }
	}
	if got.code != 0 || json.Unmarshal([]byte(got.out), &described) != nil {
		return ""
	}
	return described.DrainageInfo.DrainageStatus
}
