package campaign

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"go.temporal.io/sdk/client"

	"lumaflow/internal/callback"
	"lumaflow/internal/kie/kietest"
	"lumaflow/internal/temporal/codec"
	"lumaflow/internal/temporal/dial"
	"lumaflow/starter"
	"lumaflow/test/supervisor"
)

const (
	namespace = "default"
	// workers is the number of workers. They share the task queue, the work folder
	// and the store.
	workers = 2
)

// secrets must not appear in any history, log or file.
type secrets struct{ apiKey, callback, hmac, codec string }

var worldSecrets = secrets{
	apiKey:   "chaos-api-key-that-must-not-show",
	callback: "chaos-callback-secret-that-must-not-show",
	hmac:     "chaos-hmac-key-that-must-not-show",
	codec:    "Q2hhb3MtY29kZWMta2V5LXRoYXQtbXVzdC1ub3Qtc2g=",
}

// world is the set of processes of one seed: a Temporal server on its file
// database, two workers and a webhook; the simulated kie.ai runs in this process.
type world struct {
	folder   string
	binary   string
	env      []string
	temporal *temporal
	workers  []*supervisor.Service
	webhook  *supervisor.Service
	disk     *disk // nil if this system can't mount one
	kie      *kietest.Server
	kieHTTP  *http.Server
	client   client.Client
	codec    codec.Codec
	starter  *starter.Starter
	minter   *callback.Minter
	logs     []*os.File
}

// The folders of a world, below its own.
const (
	logsFolder   = "logs"
	databaseFile = "temporal/temporal.db"
	diskFolder   = "disk"
	videosFolder = "disk/videos"
	workFolder   = "disk/work"
	// homeFolder is the working directory and the home of all processes. They must
	// not write to it.
	homeFolder = "home"
)

func (w *world) path(name string) string { return filepath.Join(w.folder, filepath.FromSlash(name)) }

// build starts the processes with their files in a folder. The caller calls
// destroy, after an error, too.
func build(ctx context.Context, folder, binary string, seed int64, withDisk bool) (*world, error) {
	w := &world{folder: folder, binary: binary}
	return w, w.build(ctx, seed, withDisk)
}

func (w *world) build(ctx context.Context, seed int64, withDisk bool) error {
	for _, name := range []string{logsFolder, filepath.Dir(databaseFile), diskFolder, homeFolder} {
		if err := os.MkdirAll(w.path(name), 0o700); err != nil {
			return err
		}
	}
	var err error
	if withDisk {
		if w.disk, err = mountDisk(w.path(diskFolder)); err != nil {
			return err
		}
	}
	for _, name := range []string{videosFolder, workFolder} {
		if err := os.MkdirAll(w.path(name), 0o700); err != nil {
			return err
		}
	}
	kieURL, err := w.startProvider(seed)
	if err != nil {
		return err
	}
	temporalPort, err := supervisor.FreePort()
	if err != nil {
		return err
	}
	hookPort, err := supervisor.FreePort()
	if err != nil {
		return err
	}
	temporalLog, err := w.openLog("temporal")
	if err != nil {
		return err
	}
	if w.temporal, err = startTemporal(ctx, temporalPort, w.path(databaseFile), temporalLog); err != nil {
		return err
	}
	hookURL := fmt.Sprintf("http://127.0.0.1:%d", hookPort)
	w.env = append(w.settings(kieURL, hookURL), codec.Variable+"="+codecKeys(seed))
	parsed, err := callback.ParseSecrets(worldSecrets.callback)
	if err != nil {
		return err
	}
	if w.minter, err = callback.NewMinter(hookURL, parsed); err != nil {
		return err
	}
	env := environment{"TEMPORAL_ADDRESS": w.temporal.address(), codec.Variable: codecKeys(seed)}
	server, err := dial.Load(env)
	if err != nil {
		return err
	}
	if w.client, err = dial.Temporal(ctx, dial.Options{Env: env}); err != nil {
		return err
	}
	w.codec = server.Codec
	w.starter = starter.New(w.client, starter.Options{Codec: w.codec})
	return w.startRoles()
}

func (w *world) startProvider(seed int64) (url string, err error) {
	log, err := w.openLog("simulate")
	if err != nil {
		return "", err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("start the simulated kie.ai: %w", err)
	}
	w.kie, err = kietest.New(kietest.Options{
		Seed:               seed,
		Render:             1200 * time.Millisecond,
		RateLimit:          40,
		RetryAfter:         time.Second,
		APIKey:             worldSecrets.apiKey,
		HMACKey:            worldSecrets.hmac,
		RequireUserAgent:   true,
		SlowResponse:       4 * time.Second,
		EchoLate:           3 * time.Second,
		CallbackLate:       6 * time.Second,
		CallbackTimeout:    15 * time.Second,
		CallbackRetryEvery: 5 * time.Second,
		Logger:             slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		_ = listener.Close()
		return "", err
	}
	w.kieHTTP = &http.Server{Handler: w.kie, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = w.kieHTTP.Serve(listener) }()
	return "http://" + listener.Addr().String(), nil
}

// settings is the environment of all roles, with short times for a fast provider.
func (w *world) settings(kieURL, hookURL string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + w.path(homeFolder),
		"TMPDIR=" + w.path(homeFolder),
		"TEMPORAL_ADDRESS=" + w.temporal.address(),
		"KIE_API_KEY=" + worldSecrets.apiKey,
		"KIE_BASE_URL=" + kieURL,
		"KIE_WEBHOOK_HMAC_KEY=" + worldSecrets.hmac,
		"CALLBACK_BASE_URL=" + hookURL,
		"CALLBACK_SECRET=" + worldSecrets.callback,
		"WEBHOOK_LISTEN=" + hookURL[len("http://"):],
		"OUTPUT_URL=" + w.path(videosFolder),
		"WORK_DIR=" + w.path(workFolder),
		"SUBMITS_PER_SECOND=5",
		"POLL_AFTER=8s",
		"POLL_INTERVAL=1s",
		"FETCH_ALLOW_PRIVATE=true",
		"LOG_LEVEL=debug",
	}
}

func (w *world) startRoles() error {
	for i := range workers {
		worker, err := w.startRole(fmt.Sprintf("worker-%d", i+1), "worker")
		if err != nil {
			return err
		}
		w.workers = append(w.workers, worker)
	}
	var err error
	w.webhook, err = w.startRole("webhook", "webhook")
	return err
}

func (w *world) startRole(name, command string) (*supervisor.Service, error) {
	log, err := os.OpenFile(filepath.Join(w.path(logsFolder), name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return supervisor.StartService(name, log, func() *exec.Cmd {
		cmd := exec.Command(w.binary, command)
		cmd.Env, cmd.Dir = w.env, w.path(homeFolder)
		return cmd
	}), nil
}

// ready matches the line that a role prints when it has started.
var ready = regexp.MustCompile("worker running|webhook listening")

// drainTimeout is how long a role may take to drain. A worker waits for a paid
// request in flight.
const drainTimeout = 90 * time.Second

func (w *world) roles() []*supervisor.Service {
	return append([]*supervisor.Service{w.webhook}, w.workers...)
}

// awaitReady waits until every role is running: only a running process can drain
// and be checked for open files.
func (w *world) awaitReady(ctx context.Context) error {
	for _, p := range w.roles() {
		if err := p.Await(ctx, ready); err != nil {
			return err
		}
	}
	return nil
}

// drain stops the roles with SIGTERM.
func (w *world) drain() error {
	failed := make([]error, workers+1)
	var drained sync.WaitGroup
	for i, p := range w.roles() {
		drained.Go(func() { failed[i] = p.Stop(drainTimeout) })
	}
	drained.Wait()
	return errors.Join(failed...)
}

// destroy ends all processes. The folder stays.
func (w *world) destroy() {
	for _, p := range w.roles() {
		if p != nil {
			p.Abandon()
		}
	}
	if w.client != nil {
		w.client.Close()
	}
	if w.temporal != nil {
		w.temporal.stop()
	}
	if w.kieHTTP != nil {
		_ = w.kieHTTP.Close()
		_ = w.kie.Close()
	}
	for _, log := range w.logs {
		_ = log.Close()
	}
}

func (w *world) openLog(name string) (io.Writer, error) {
	log, err := os.Create(filepath.Join(w.path(logsFolder), name+".log"))
	if err != nil {
		return nil, err
	}
	w.logs = append(w.logs, log)
	return log, nil
}

// environment holds Temporal's variables for a client in this process.
type environment map[string]string

func (e environment) LookupEnv(key string) (string, bool) { value, ok := e[key]; return value, ok }

func (e environment) Environ() []string { return nil }
