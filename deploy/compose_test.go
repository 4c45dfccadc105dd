package deploy_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie/kietest"
	"lumaflow/internal/store/audit"
	"lumaflow/starter"
)

const (
	// composeVariable enables TestCompose.
	composeVariable = "LUMAFLOW_COMPOSE_TEST"
	testImage       = "lumaflow:compose-test"
	// maxImage bounds the size of lumaflow's image, in bytes.
	maxImage = 80_000_000
	// demoJobs is the number of jobs of the demo.
	demoJobs   = 5
	codecToken = "a-rehearsal-needs-no-token-but-32-bytes"
	// simulatedClip is a source that the workers can keep: KEEP_SOURCE is set.
	simulatedClip = "http://simulator:8090/clips/squares.mp4"
)

// stackSecrets are the secrets of the stack, which are in files alone.
var stackSecrets = map[string]string{
	"postgres_password": "password-of-the-compose-test",
	"callback_secret":   "callback-secret-of-the-compose-test",
	"kie_api_key":       "kie-api-key-of-the-compose-test",
	"codec_keys":        "main:" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32)),
	"codec_token":       codecToken,
	"gallery_token":     "gallery-token-of-the-compose-test",
	"grafana_password":  "grafana-password-of-the-compose-test",
}

// TestCompose starts docker-compose.yml with the simulated kie.ai, runs jobs while
// containers are killed, and compares the files with the bill.
func TestCompose(t *testing.T) {
	if os.Getenv(composeVariable) == "" {
		t.Skipf("starts docker-compose.yml: takes minutes, or a quarter of an hour if its images must be built first; set %s=1 to run it", composeVariable)
	}
	s := startStack(t)

	t.Run("image", s.image)
	t.Run("demo", func(t *testing.T) {
		s := s.in(t)
		s.requireDemo()
		assert.Len(t, s.bill().Tasks, demoJobs)
	})
	t.Run("published ports", s.publishedPorts)
	t.Run("bad secrets end the start", s.badSecrets)
	t.Run("bad digests end the start", s.badDigests)
	t.Run("reachability", s.reachability)
	t.Run("holders of secrets", s.secretHolders)
	t.Run("confinement", s.confinement)
	t.Run("read-only UI", s.readOnlyUI)
	t.Run("doctor", func(t *testing.T) {
		s := s.in(t)
		t.Log("\n" + s.compose("exec", "-T", "worker-1", "lumaflow", "doctor"))
	})
	t.Run("search by stage", func(t *testing.T) {
		s := s.in(t)
		s.eventually("all jobs of the demo have stage done", func() bool {
			return strings.Contains(s.once("temporal", "workflow", "count", "--namespace", "lumaflow", "--query", `LumaStage="done"`),
				strconv.Itoa(demoJobs))
		})
	})
	t.Run("jobs survive the death of a worker and the database", s.crashes)
	t.Run("Prometheus targets and rules", s.prometheus)
	t.Run("payloads are encrypted", s.encrypted)
	t.Run("a second up", func(t *testing.T) {
		s := s.in(t)
		before := s.bill()
		s.compose("up", "-d")
		s.requireDemo()
		assert.Equal(t, before.Charges, s.bill().Charges)
		for _, step := range []string{"settings", "schema", "namespace"} {
			assert.Equal(t, "exited 0", s.inspect(s.containers(step)[0], "{{.State.Status}} {{.State.ExitCode}}"), step)
		}
	})
	t.Run("memory of idle processes", s.memory)
}

// startStack starts all services and removes them after the test.
func startStack(t *testing.T) *stack {
	t.Helper()
	tool := composeTool(t.Context())
	if tool == nil {
		t.Skip("`docker compose` is not installed; deploy/local-images/build installs it")
	}
	s := &stack{t: t, tool: tool, env: append(plainEnvironment(t,
		"COMPOSE_PROJECT_NAME=lumaflow-test-"+strconv.Itoa(os.Getpid()), "LUMAFLOW_IMAGE="+testImage,
		"UI_PORT="+freePort(t), "WEBHOOK_PORT="+freePort(t), "CODEC_PORT="+freePort(t), "GALLERY_PORT="+freePort(t),
		"WEBHOOK_ADDRESS=0.0.0.0", "VERSION=v0.0.0-test"), secretFiles(t)...)}
	if _, err := s.run(t.Context(), "docker", "version"); err != nil {
		t.Skipf("no Docker engine: %s", lastLine(err.Error()))
	}
	s.ensureImages()
	t.Cleanup(func() {
		ctx := context.Background() // the context of the test has ended
		if t.Failed() {
			logs, err := s.tryCompose(ctx, "logs", "--tail", "60")
			t.Logf("last logs of the containers:\n%s\n%v", logs, err)
		}
		if _, err := s.tryCompose(ctx, "--profile", "observe", "down", "--volumes", "--timeout", "20"); err != nil {
			t.Error(err)
		}
	})
	_, err := s.follow(tool[0], append(tool[1:len(tool):len(tool)], "--env-file", "deploy/demo.env", "build", "webhook")...)
	require.NoError(t, err)
	s.compose("up", "-d")
	return s
}

// in returns the stack with the t of a subtest.
func (s *stack) in(t *testing.T) *stack {
	return &stack{t: t, tool: s.tool, env: s.env}
}

func (s *stack) image(t *testing.T) {
	s = s.in(t)
	size, err := strconv.Atoi(s.docker("image", "inspect", "--format", "{{.Size}}", testImage))
	require.NoError(t, err)
	t.Logf("image size: %.1f MB", float64(size)/1e6)
	assert.Less(t, size, maxImage)
	assert.Equal(t, "v0.0.0-test", s.docker("run", "--rm", testImage, "--version"))
	for _, shell := range []string{"/bin/sh", "/bin/bash", "/busybox/sh"} {
		_, err := s.run(t.Context(), "docker", "run", "--rm", "--entrypoint", shell, testImage, "-c", "true")
		require.Error(t, err, "the image has a shell")
	}
	for _, service := range []string{"webhook", "worker-1", "worker-2", "simulator", "codec-server"} {
		for _, container := range s.containers(service) {
			assert.Equal(t, "65532:65532", s.inspect(container, "{{.Config.User}}"), service)
			s.eventually(service+" is healthy", func() bool { return s.healthy(container) })
		}
	}
}

// requireDemo waits for the end of the demo and requires its success.
func (s *stack) requireDemo() {
	s.t.Helper()
	container := s.containers("demo")[0]
	s.eventually("the demo has ended", func() bool { return s.inspect(container, "{{.State.Status}}") == "exited" })
	line, err := s.run(s.t.Context(), "docker", "logs", "--tail", "1", container)
	require.NoError(s.t, err)
	require.Equal(s.t, "0", s.inspect(container, "{{.State.ExitCode}}"), line)
	require.Regexp(s.t, "^demo: 0 of 5 jobs failed; the bill of the simulated kie.ai holds [0-9]+ charges$", line)
}

func (s *stack) bill() kietest.Ledger {
	s.t.Helper()
	var bill kietest.Ledger
	require.NoError(s.t, json.Unmarshal([]byte(s.once("wget", "-q", "-O", "-", "http://simulator:8090/_sim/ledger")), &bill))
	return bill
}

// crashes submits jobs with faults and kills containers while they run.
func (s *stack) crashes(t *testing.T) {
	s = s.in(t)
	var ids []string
	for _, crash := range []struct {
		victim string
		faults []string
	}{
		{"worker-1", []string{"response-lost", "stall", "slow-response", "callback-lost"}},
		{"postgres", []string{"reset", "callback-early", "response-500", "callback-lost"}},
	} {
		for _, fault := range crash.faults {
			id := crash.victim + "-dies-" + fault
			_, err := s.lumaflow("submit", "--id", id, "--video", simulatedClip,
				"--prompt", fmt.Sprintf("job %s [fault: %s] [size: 20MB]", id, fault))
			require.NoError(t, err)
			ids = append(ids, id)
		}
		// The last job waits for its first poll.
		require.Equal(t, starter.StateRunning, s.state(ids[len(ids)-1]), "no job runs while %s dies", crash.victim)
		s.crash(s.containers(crash.victim)[0])
		t.Logf("killed %s", crash.victim)
	}
	var last error
	s.eventually("every job is done", func() bool {
		_, last = s.lumaflow(append([]string{"wait", "--timeout", "1m"}, ids...)...)
		return last == nil
	})

	charges := map[string]int{}
	for _, charge := range s.bill().Tasks {
		if job := regexp.MustCompile(`^job (\S+) `).FindStringSubmatch(charge.Prompt); job != nil {
			charges[job[1]]++
		}
	}
	for _, id := range ids {
		assert.Equal(t, 1, charges[id], "charges of %s", id)
	}
	assert.Len(t, charges, len(ids))
	s.requireFiles(len(ids) + demoJobs)
	for _, service := range []string{"worker-1", "worker-2", "webhook", "postgres", "temporal"} {
		for _, container := range s.containers(service) {
			s.eventually(service+" is healthy", func() bool { return s.healthy(container) })
		}
	}
}

// state returns the state of a job, empty if status fails.
func (s *stack) state(id string) starter.State {
	output, err := s.lumaflow("status", "--json", id)
	if err != nil {
		return ""
	}
	var report starter.Report
	require.NoError(s.t, json.Unmarshal([]byte(output), &report))
	return report.State
}

// requireFiles requires every stored video to match its receipt.
func (s *stack) requireFiles(jobs int) {
	s.t.Helper()
	var found audit.Report
	require.NoError(s.t, json.Unmarshal([]byte(s.compose("exec", "-T", "worker-2", "lumaflow", "audit", "--json")), &found))
	assert.True(s.t, found.Complete)
	assert.Empty(s.t, found.Problems)
	assert.Equal(s.t, jobs, found.Receipts)
	assert.GreaterOrEqual(s.t, found.Files, jobs)
}
