package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"lumaflow/internal/kie/kietest"
	"lumaflow/workflows"
)

// A new version is rolled out while jobs start and others are in each long phase of
// their life, and the old worker is killed once. Jobs stay on the version that they
// started on, and none is lost or charged twice.
func TestRollout(t *testing.T) {
	t.Parallel()
	deployment := newDeployment("e2e-rollout")
	w := enter(t, setup{env: []string{"TEMPORAL_DEPLOYMENT_NAME=" + deployment, "TEMPORAL_WORKER_BUILD_ID=v1", "POLL_AFTER=40s"}})
	pids := map[string][]int{"v1": {w.worker.cmd.Process.Pid}}

	// A version that is not current gets no jobs and logs the command to use.
	command := w.worker.awaitOutput("this version gets no new jobs: `(.*)`")
	first := "e2e-rollout-first"
	w.start(first, jobInput(first))
	w.until("doctor reports it", func() bool {
		doctor := w.run("doctor", "--only", "workers,submissions")
		return doctor.code == 1 && strings.Count(doctor.out, "`"+command+"`") == 2
	})
	require.Len(t, w.events(first), 2, "no worker has started it")
	w.runSuggested(command)
	_, err := w.result(first)
	require.NoError(t, err)
	doctor := w.run("doctor", "--only", "settings,workers,submissions")
	require.Zero(t, doctor.code, doctor.out)
	require.Contains(t, doctor.out, "workers are version v1 of deployment "+deployment)

	// Jobs in flight: one that waits, one with a submission in flight, one with a
	// lost response, one that downloads.
	inFlight := map[string]string{}
	for _, fault := range []string{kietest.CallbackLost, kietest.ResponseLost, kietest.Stall, kietest.SlowResponse} {
		id := "e2e-rollout-in-flight-" + fault
		inFlight[id] = id + " [size: 4MB] [fault: " + fault + "]"
		if fault == kietest.CallbackLost {
			inFlight[id] += " [render: held]"
		}
		w.start(id, jobInput(inFlight[id]))
	}
	stream := w.keepStarting("e2e-rollout-load", 400*time.Millisecond)
	defer stream.stop()
	w.until("the submission is in flight", func() bool { return w.charged(inFlight["e2e-rollout-in-flight-"+kietest.SlowResponse]) })

	// The new version.
	old := w.worker
	w.env = append(w.env, "TEMPORAL_WORKER_BUILD_ID=v2")
	w.startWorker()
	pids["v2"] = []int{w.worker.cmd.Process.Pid}
	command = w.worker.awaitOutput("this version gets no new jobs: `(.*)`")
	require.Contains(t, command, "--build-id v2")
	// A job has a version once its first workflow task has completed.
	before := stream.started()
	pending := slices.Clone(before)
	require.Eventually(t, func() bool {
		// Each history is read until it is long enough: to read all each time delays them.
		pending = slices.DeleteFunc(pending, func(id string) bool { return len(w.events(id)) >= 4 })
		return len(pending) == 0
	}, 3*patience, 250*time.Millisecond, "the jobs before the switch have version v1")
	w.runSuggested(command)
	switched := time.Now()
	w.control("release", struct{}{})

	// The old worker is killed and replaced.
	old.kill()
	old = start(t, append(w.env, "TEMPORAL_WORKER_BUILD_ID=v1"), "worker")
	pids["v1"] = append(pids["v1"], old.cmd.Process.Pid)

	w.worker.awaitOutput("this version gets the new jobs")
	between := stream.started()
	last := "e2e-rollout-last"
	w.start(last, jobInput(last))
	stream.stop()
	require.NoError(t, stream.err)
	require.NotEmpty(t, before)

	// Every job ended with its file on the version that it started on.
	want := map[string]string{first: "v1", last: "v2"}
	prompts := map[string]string{first: first, last: last}
	for id, prompt := range inFlight {
		want[id], prompts[id] = "v1", prompt
	}
	for i, id := range stream.started() {
		prompts[id] = id
		switch {
		case i < len(before):
			want[id] = "v1"
		case i >= len(between):
			want[id] = "v2"
		}
	}
	onVersion := map[string]int{}
	for id, prompt := range prompts {
		result, err := w.result(id)
		require.NoError(t, err, id)
		w.verified(result, w.charge(prompt))
		version := w.ranOn(id, pids)
		if want[id] != "" {
			require.Equal(t, want[id], version, id)
		}
		onVersion[version]++
	}
	require.Equal(t, len(prompts), w.ledger().Charges, "one charge each")
	waited, err := temporal.DescribeWorkflow(t.Context(), "e2e-rollout-in-flight-"+kietest.CallbackLost, "")
	require.NoError(t, err)
	require.Greater(t, waited.RawResponse.GetWorkflowExecutionInfo().GetCloseTime().AsTime(), switched, "it was in flight")
	t.Logf("jobs of each version: %v", onVersion)

	// The old version drains, and its worker can stop.
	w.until("the old version is drained", func() bool {
		got := w.temporalCLI("worker", "deployment", "describe-version", "--deployment-name", deployment, "--build-id", "v1", "--output", "json")
		var described struct {
			DrainageInfo struct{ DrainageStatus string }
		}
		return got.code == 0 && json.Unmarshal([]byte(got.out), &described) == nil && described.DrainageInfo.DrainageStatus == "drained"
	})
	old.awaitOutput("it may be stopped")
	require.Zero(t, old.stop())
	shown := w.run("status", first)
	require.Zero(t, shown.code, shown.err)
	require.Contains(t, shown.out, "completed")
}

// newDeployment is a name of a deployment without a version, unique on the server.
func newDeployment(prefix string) string { return fmt.Sprintf("%s-%d", prefix, worlds.Add(1)) }

// The first version continues the jobs of workers without a version.
func TestFirstVersion(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	id := "e2e-first-version"
	prompt := id + " [render: held]"
	w.start(id, jobInput(prompt))
	w.awaitJobStage(id, workflows.StageWaiting)
	without := w.worker
	w.env = append(w.env, "TEMPORAL_DEPLOYMENT_NAME="+newDeployment("e2e-first"), "TEMPORAL_WORKER_BUILD_ID=v1")
	w.startWorker()
	w.runSuggested(w.worker.awaitOutput("this version gets no new jobs: `(.*)`"))
	require.Zero(t, without.stop())
	w.control("release", struct{}{})
	result, err := w.result(id)
	require.NoError(t, err)
	w.verified(result, w.charge(prompt))
	described, err := temporal.DescribeWorkflow(t.Context(), id, "")
	require.NoError(t, err)
	require.Equal(t, "v1", described.RawResponse.GetWorkflowExecutionInfo().GetVersioningInfo().GetDeploymentVersion().GetBuildId())
}

// runSuggested runs a command of Temporal's CLI from a log or from doctor.
func (w *world) runSuggested(command string) {
	w.t.Helper()
	name, args, _ := strings.Cut(command, " ")
	require.Equal(w.t, "temporal", name)
	// The request has a deadline, which a busy server may miss.
	w.until(command, func() bool { return w.temporalCLI(append(strings.Fields(args), "--yes")...).code == 0 })
}

// charged reports whether a prompt is on the bill.
func (w *world) charged(prompt string) bool {
	for _, charge := range w.ledger().Tasks {
		if charge.Prompt == prompt {
			return true
		}
	}
	return false
}

// ranOn is the version that executed all tasks of a job, according to the versions
// and the worker identities in its history.
func (w *world) ranOn(id string, pids map[string][]int) (version string) {
	w.t.Helper()
	var identities []string
	for _, event := range w.events(id) {
		if completed := event.GetWorkflowTaskCompletedEventAttributes(); completed != nil {
			build := completed.GetDeploymentVersion().GetBuildId()
			if version == "" {
				version = build
			}
			require.Equal(w.t, version, build, "job %s has changed its version", id)
			identities = append(identities, completed.GetIdentity())
		}
		if started := event.GetActivityTaskStartedEventAttributes(); started != nil {
			identities = append(identities, started.GetIdentity())
		}
	}
	for _, identity := range identities {
		own := false
		for _, pid := range pids[version] {
			own = own || strings.HasPrefix(identity, fmt.Sprintf("%d@", pid))
		}
		require.True(w.t, own, "job %s of version %s was executed by %s", id, version, identity)
	}
	return version
}

// load starts jobs at a constant rate.
type load struct {
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu  sync.Mutex
	ids []string
	err error
}

func (w *world) keepStarting(prefix string, interval time.Duration) *load {
	ctx, cancel := context.WithCancel(w.t.Context())
	s, starter := &load{cancel: cancel}, w.client
	s.done.Go(func() {
		ticks := time.NewTicker(interval)
		defer ticks.Stop()
		for n := 0; ctx.Err() == nil; n++ {
			id := fmt.Sprintf("%s-%d", prefix, n)
			err := startOnce(w.t.Context(), starter, client.StartWorkflowOptions{ID: id, TaskQueue: w.taskQueue},
				workflows.ModifyVideoInput{Prompt: id, VideoURL: "https://cdn.example.org/in.mp4"})
			s.mu.Lock()
			s.ids, s.err = append(s.ids, id), err
			s.mu.Unlock()
			if err != nil {
				return
			}
			select {
			case <-ctx.Done():
			case <-ticks.C:
			}
		}
	})
	return s
}

// startOnce repeats a start that an overloaded server has not answered within the
// deadline of a request. At most one run starts.
func startOnce(ctx context.Context, starter client.Client, options client.StartWorkflowOptions, input workflows.ModifyVideoInput) error {
	options.WorkflowIDReusePolicy = enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE
	for {
		_, err := starter.ExecuteWorkflow(ctx, options, workflows.ModifyVideoName, input)
		late := errors.Is(err, context.DeadlineExceeded) || errors.As(err, new(*serviceerror.DeadlineExceeded))
		if !late || ctx.Err() != nil {
			return err
		}
	}
}

func (s *load) started() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clip(s.ids)
}

func (s *load) stop() {
	s.cancel()
	s.done.Wait()
}

// A build with a revision needs no build id.
func TestRevisionIsBuildID(t *testing.T) {
	t.Parallel()
	for revision, message := range map[string]string{
		"0123456789abcdef0123456789abcdef01234567":       "workers are version 0123456789ab of deployment lumaflow",
		"0123456789abcdef0123456789abcdef01234567-dirty": "this build has changes that its revision 0123456789ab does not",
	} {
		stamped := filepath.Join(t.TempDir(), "lumaflow")
		build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", stamped,
			"-ldflags", "-X lumaflow/internal/command.revision="+revision, "lumaflow")
		output, err := build.CombinedOutput()
		require.NoError(t, err, string(output))
		got := execute(t, append(build.Environ(), "TEMPORAL_DEPLOYMENT_NAME=lumaflow"), stamped, "doctor", "--only", "settings")
		require.Equal(t, strings.HasSuffix(revision, "-dirty"), got.code != 0, got.err)
		require.Contains(t, got.out, message)
	}
}

// A version that Temporal would reject is an error before any connection.
func TestMalformedVersions(t *testing.T) {
	t.Parallel()
	for refused, env := range map[string][]string{
		"lumaflow: TEMPORAL_DEPLOYMENT_NAME is \"luma.flow\": Temporal takes no name with a dot or a colon in it\n": {
			"TEMPORAL_DEPLOYMENT_NAME=luma.flow", "TEMPORAL_WORKER_BUILD_ID=v1"},
		"lumaflow: TEMPORAL_WORKER_BUILD_ID is \"v 1\": give a name without blanks and control characters\n": {
			"TEMPORAL_DEPLOYMENT_NAME=lumaflow", "TEMPORAL_WORKER_BUILD_ID=v 1"},
		"lumaflow: TEMPORAL_WORKER_BUILD_ID is set but TEMPORAL_DEPLOYMENT_NAME is not: set both, or neither for workers without a version\n": {
			"TEMPORAL_WORKER_BUILD_ID=v1"},
	} {
		got := execute(t, append(exec.Command("true").Environ(), append(env, "TEMPORAL_ADDRESS=127.0.0.1:1", "KIE_API_KEY=any")...), binary, "worker")
		require.Equal(t, 2, got.code)
		require.Equal(t, refused, got.err)
	}
}
