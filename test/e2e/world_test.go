// Package e2e_test tests lumaflow through its public interfaces only: the command
// line, HTTP and Temporal's own CLI, with real processes on a real server.
package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"lumaflow/internal/kie/kietest"
	"lumaflow/internal/temporal/devserver"
	"lumaflow/internal/temporal/dial"
	"lumaflow/test/supervisor"
	"lumaflow/workflows"
)

var (
	// binary is lumaflow, chaos the program of test/chaos, cli Temporal's own CLI.
	binary, chaos, cli string
	// address is the address of the Temporal server, temporal a client.
	address  string
	temporal client.Client
)

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		fmt.Println("e2e tests need a Temporal dev server: skipped by -short")
		os.Exit(0)
	}
	// The tests mostly wait, so more of them than cores can run in parallel. The
	// programs of eight tests overload a Temporal server on two cores.
	if err := flag.Set("test.parallel", "6"); err != nil {
		os.Exit(fail(err))
	}
	os.Exit(runAll(m))
}

func runAll(m *testing.M) int {
	folder, err := os.MkdirTemp("", "lumaflow-e2e-")
	if err != nil {
		return fail(err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	binary, chaos = filepath.Join(folder, "lumaflow"), filepath.Join(folder, "chaos")
	ctx := context.Background()
	for path, importPath := range map[string]string{binary: "lumaflow", chaos: "lumaflow/test/chaos"} {
		if err := supervisor.Build(ctx, path, importPath); err != nil {
			return fail(err)
		}
	}
	if cli, err = devserver.Find(ctx, os.Stderr); err != nil {
		return fail(err)
	}
	server, err := devserver.Start(ctx, devserver.Options{
		// The default delays of the drainage status are minutes.
		DynamicConfig: []string{
			"matching.wv.VersionDrainageStatusVisibilityGracePeriod=\"2s\"",
			"matching.wv.VersionDrainageStatusRefreshInterval=\"2s\"",
		},
		Progress: os.Stderr,
	})
	if err != nil {
		return fail(err)
	}
	defer server.Stop()
	address = server.Address()
	if temporal, err = dial.Temporal(ctx, dial.Options{Env: settings{"TEMPORAL_ADDRESS": address}}); err != nil {
		return fail(err)
	}
	defer temporal.Close()
	return m.Run()
}

// settings holds Temporal's environment variables.
type settings map[string]string

func (s settings) LookupEnv(key string) (string, bool) { value, ok := s[key]; return value, ok }
func (s settings) Environ() []string                   { return nil }

func fail(err error) int {
	fmt.Fprintln(os.Stderr, "e2e:", err)
	return 1
}

// world is one set of lumaflow's processes with a simulated kie.ai. Its task queue
// separates it from other worlds on the same Temporal server.
type world struct {
	t         testing.TB
	env       []string
	simulator *process
	simURL    string
	webhook   *process
	// webhookURL is the URL of the webhook.
	webhookURL string
	worker     *process
	taskQueue  string
	// client starts and queries jobs.
	client client.Client
	output string
	work   string
}

// setup holds the settings of one world.
type setup struct {
	// env is NAME=value for all processes; simulate holds flags of the simulator.
	env      []string
	simulate []string
	// noCallbacks omits the webhook, noWorker the worker.
	noCallbacks, noWorker bool
}

var worlds atomic.Int64

// enter starts the processes of a new world.
func enter(t testing.TB, with setup) *world {
	t.Helper()
	w := &world{t: t, client: temporal, taskQueue: fmt.Sprintf("e2e-%d", worlds.Add(1)), output: t.TempDir(), work: t.TempDir()}
	w.simulator = start(t, os.Environ(), append([]string{"simulate", "--listen", "127.0.0.1:0", "--render", "500ms"}, with.simulate...)...)
	w.simURL = w.simulator.awaitOutput(`(http://127\.0\.0\.1:\d+)`)
	w.env = append(os.Environ(),
		"TEMPORAL_ADDRESS="+address,
		"KIE_API_KEY="+apiKey,
		"KIE_BASE_URL="+w.simURL,
		"KIE_UPLOAD_BASE_URL="+w.simURL,
		"CALLBACK_SECRET="+callbackSecret,
		"WEBHOOK_LISTEN=127.0.0.1:0",
		"OUTPUT_URL="+w.output,
		"WORK_DIR="+w.work,
		"MANIFEST_DIRS="+os.TempDir(),
		"TASK_QUEUE="+w.taskQueue,
		"SUBMITS_PER_SECOND=50",
		"POLL_AFTER=20s",
		"POLL_INTERVAL=1s",
		"FETCH_ALLOW_PRIVATE=true",
		"CODEC_KEYS=",
	)
	w.env = append(w.env, with.env...)
	if !with.noCallbacks {
		w.webhook = start(t, w.env, "webhook")
		w.webhookURL = webhookAddress(w.webhook)
		w.env = append(w.env, "CALLBACK_BASE_URL="+w.webhookURL)
	}
	if !with.noWorker {
		w.startWorker()
	}
	return w
}

const (
	apiKey         = "an-api-key-that-must-stay-secret"
	callbackSecret = "an e2e secret of more than thirty-two bytes"
)

func (w *world) startWorker() {
	w.t.Helper()
	w.worker = start(w.t, w.env, "worker")
	w.worker.awaitOutput("worker running")
}

// answer is the output and the exit code of a command.
type answer struct {
	out, err string
	code     int
}

// run runs a command of lumaflow to its end.
func (w *world) run(args ...string) answer { return execute(w.t, w.env, binary, args...) }

// temporalCLI runs a command of Temporal's own CLI.
func (w *world) temporalCLI(args ...string) answer {
	return execute(w.t, w.env, cli, append(args, "--address", address)...)
}

func execute(t testing.TB, env []string, name string, args ...string) answer {
	t.Helper()
	return executeWithin(t, 2*patience, env, name, args...)
}

// executeWithin kills the command after a time.
func executeWithin(t testing.TB, limit time.Duration, env []string, name string, args ...string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = supervisor.Environment(env), &out, &errs
	// The caller checks the exit code.
	_ = cmd.Run()
	return answer{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// ledger is the simulator's bill.
func (w *world) ledger() kietest.Ledger {
	w.t.Helper()
	response, err := http.Get(w.simURL + "/_sim/ledger")
	require.NoError(w.t, err)
	defer response.Body.Close()
	var ledger kietest.Ledger
	require.NoError(w.t, json.NewDecoder(response.Body).Decode(&ledger))
	return ledger
}

// control posts to a control endpoint of the simulated kie.ai.
func (w *world) control(endpoint string, body any) {
	w.t.Helper()
	text, err := json.Marshal(body)
	require.NoError(w.t, err)
	response, err := http.Post(w.simURL+"/_sim/"+endpoint, "application/json", bytes.NewReader(text))
	require.NoError(w.t, err)
	require.NoError(w.t, response.Body.Close())
	require.Equal(w.t, http.StatusOK, response.StatusCode)
}

// downloaded is the number of bytes in the work folder.
func (w *world) downloaded() (bytes int64) {
	w.t.Helper()
	require.NoError(w.t, filepath.WalkDir(w.work, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		bytes += info.Size()
		return err
	}))
	return bytes
}

// status queries the status of a job; ok is false if the query fails.
func (w *world) status(id string) (status workflows.Status, ok bool) {
	ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Second)
	defer cancel()
	value, err := w.client.QueryWorkflow(ctx, id, "", workflows.StatusQuery)
	if err != nil {
		return status, false
	}
	return status, value.Get(&status) == nil
}

// start starts a job with Temporal's CLI.
func (w *world) start(id, input string) {
	w.t.Helper()
	got := w.temporalCLI("workflow", "start", "--task-queue", w.taskQueue, "--type", "ModifyVideo", "--workflow-id", id, "--input", input)
	require.Zero(w.t, got.code, got.err)
}

// result waits for the end of a job.
func (w *world) result(id string) (result workflows.ModifyVideoResult, err error) {
	ctx, cancel := context.WithTimeout(w.t.Context(), 4*patience)
	defer cancel()
	err = w.client.GetWorkflow(ctx, id, "").Get(ctx, &result)
	return result, err
}

// until waits for a condition.
func (w *world) until(what string, condition func() bool) {
	w.t.Helper()
	require.Eventually(w.t, condition, patience, 50*time.Millisecond, what)
}

func jobInput(prompt string) string {
	input, _ := json.Marshal(map[string]string{"prompt": prompt, "videoUrl": "https://cdn.example.org/in.mp4"})
	return string(input)
}
