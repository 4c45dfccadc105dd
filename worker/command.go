package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"go.temporal.io/sdk/contrib/envconfig"
	sdkworker "go.temporal.io/sdk/worker"

	"lumaflow/activities"
	"lumaflow/internal/command"
	"lumaflow/internal/kie"
	"lumaflow/internal/paid/runs"
	"lumaflow/internal/telemetry"
	"lumaflow/internal/telemetry/metrics"
	"lumaflow/internal/temporal/dial"
	"lumaflow/starter"
	"lumaflow/worker/replay"
)

// keyCheckTimeout bounds the request that checks the key at the start.
const keyCheckTimeout = 15 * time.Second

// outputCheckInterval is the period for which the output counts as writable: a
// check costs a write.
const outputCheckInterval = time.Minute

// Command runs a worker until its context ends.
type Command struct {
	Settings        `embed:""`
	telemetry.Flags `embed:""`
	command.Logging `embed:""`

	// Env resolves Temporal's own settings; nil means the process environment.
	Env envconfig.EnvLookup `kong:"-"`
}

// Help returns the help text beside the flags.
func (Command) Help() string {
	return `A worker runs the workflows and all activities. Start any number of workers, on any number of machines; the
rate of submissions holds for all of them together. SIGTERM drains: submissions in flight complete, downloads stop, and
the next worker resumes them if it has the same WORK_DIR. That takes at most 80 seconds; allow 90 before SIGKILL. With
METRICS_LISTEN, a port of its own serves /metrics for Prometheus, /healthz, and /readyz, which is 200 while Temporal
answers and OUTPUT_URL can be written.

With TEMPORAL_DEPLOYMENT_NAME the worker has a version, and an open job stays with the version it began on. New jobs
start on a version once an operator has made it current; until then the log warns and names the command.

` + command.TemporalHelp + `
` + command.SecretsHelp + `

Examples:
  KIE_API_KEY=… lumaflow worker
  KIE_API_KEY=… CALLBACK_BASE_URL=https://hooks.example.org CALLBACK_SECRET=… lumaflow worker
  lumaflow worker --output-url /srv/videos --task-queue studio-a --metrics-listen :9464
  lumaflow worker --output-url "s3://my-bucket?region=eu-central-1&prefix=videos/"
  TEMPORAL_DEPLOYMENT_NAME=lumaflow TEMPORAL_WORKER_BUILD_ID=v1.3.0 lumaflow worker`
}

// Run starts the worker in steps, each of which relies on the ones before it,
// and works until ctx ends. What a step opens is closed in reverse order.
func (c *Command) Run(ctx context.Context, streams command.Streams) error {
	logger := c.Logger(streams.Err)

	// 1. Settings: a usage error precedes every side effect.
	version, server, err := c.validate()
	if err != nil {
		return err
	}
	// 2. The metrics port: a slow start is visible as alive and not ready.
	observed, err := telemetry.Start(ctx, telemetry.Options{
		Flags: c.Flags, Role: "lumaflow-worker", Counters: metrics.OfWorker, Logger: logger,
	})
	if err != nil {
		return err
	}
	defer observed.Close() //nolint:contextcheck // traces are flushed after ctx has ended
	// 3. Work directory, output, proxy and key: without them no task can succeed.
	options, err := c.activityOptions(ctx, logger)
	if err != nil {
		return err
	}
	// 4. Temporal, which may take a minute to answer.
	temporal, err := c.connect(ctx, server, observed, logger)
	if err != nil {
		return err
	}
	defer temporal.close()
	// 5. The activities, which need both.
	reader := runs.Reader{Server: temporal.reader, Data: temporal.server.Codec.ForClient().Data, Namespace: server.Namespace}
	options.Recorder, options.Runs = temporal.worker, reader
	options.Collector = runs.Collector{Starter: temporal.reader, Reader: reader, TaskQueue: c.TaskQueue}
	attributes := newAttributeProbe(temporal.worker, server.Namespace, logger)
	defer attributes.close()
	options.SearchAttributes = attributes.available
	acts, err := activities.New(options)
	if err != nil {
		return fmt.Errorf("start the worker: %w", err)
	}
	folder, err := c.workDir()
	if err != nil {
		return err
	}
	manifests, err := c.Manifests()
	if err != nil {
		return err
	}
	ofBatches, err := activities.NewBatches(activities.BatchOptions{
		Runs: reader, Payloads: server.Codec.ForClient(), Store: options.Store, Format: starter.Manifest, ManifestDirs: manifests, WorkDir: folder,
	})
	if err != nil {
		return fmt.Errorf("start the worker: %w", err)
	}
	// 6. The census, in the background.
	defer temporal.startCensus(ctx, c.TaskQueue, observed, logger)()
	// 7. The worker, which is ready once it polls.
	return Run(ctx, temporal.worker, acts, Options{
		TaskQueue:        c.TaskQueue,
		SubmitsPerSecond: c.SubmitsPerSecond,
		Version:          version,
		Logger:           logger,
		Batches:          ofBatches,
		Gate: replay.Gate{
			Temporal: temporal.reader, TaskQueue: c.TaskQueue,
			Options: replay.Options{Codec: server.Codec, Namespace: server.Namespace},
		},
		SearchAttributes: attributes.current,
		BatchAttribute:   attributes.ofBatches,
		Started: func() {
			observed.Readiness.Begin(
				telemetry.Check{Name: "temporal", Probe: temporal.reachable},
				telemetry.Check{Name: "output", Probe: options.Store.Check, TTL: outputCheckInterval},
			)
		},
		Draining: observed.Readiness.Drain,
	})
}

// validate checks the settings that open nothing.
func (c *Command) validate() (version sdkworker.WorkerDeploymentVersion, server dial.Settings, err error) {
	if version, err = c.Version(); err != nil {
		return version, server, err
	}
	if server, err = dial.Load(c.Env); err != nil {
		return version, server, err
	}
	if _, err := c.Manifests(); err != nil {
		return version, server, err
	}
	if err := c.Gallery(); err != nil {
		return version, server, err
	}
	return version, server, c.Pace()
}

// activityOptions opens the dependencies of the activities other than Temporal.
func (c *Command) activityOptions(ctx context.Context, logger *slog.Logger) (activities.Options, error) {
	var none activities.Options
	provider, err := c.Provider(logger)
	if err != nil {
		return none, err
	}
	minter, secrets, err := c.Callbacks()
	if err != nil {
		return none, err
	}
	fetcher, err := c.Fetcher(logger)
	if err != nil {
		return none, err
	}
	videos, err := c.Store(ctx)
	if err != nil {
		return none, err
	}
	through, err := c.CheckProxy(ctx, fetcher)
	if err != nil {
		return none, err
	}
	if through != "" {
		logger.Info("results are downloaded through a proxy", "proxy", through)
	}
	if err := checkKey(ctx, provider, logger); err != nil {
		return none, err
	}
	pollAfter, byModel := c.FirstPoll()
	return activities.Options{
		Provider:     provider,
		Fetcher:      fetcher,
		Store:        videos,
		Callbacks:    minter,
		Secrets:      secrets,
		PollAfter:    pollAfter,
		PollByModel:  byModel,
		PollInterval: c.PollInterval,
		GalleryURL:   c.GalleryURL,
		KeepSource:   c.KeepSource,
	}, nil
}

// checkKey requests the credit: a refused key would hold every job. Any other
// failure of kie.ai is temporary.
func checkKey(ctx context.Context, provider *kie.Client, logger *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, keyCheckTimeout)
	defer cancel()
	credit, err := provider.Credit(ctx)
	var refused *kie.Error
	switch {
	case err == nil:
		logger.Info("kie.ai accepts the key", "credit", strconv.FormatFloat(credit, 'f', -1, 64))
		return nil
	case errors.As(err, &refused) && refused.Code == http.StatusUnauthorized:
		return errors.New("kie.ai refuses KIE_API_KEY (code 401): check it at https://kie.ai/api-key")
	default:
		logger.Warn("the key could not be checked because kie.ai does not answer; jobs wait until it does", "error", err)
		return nil
	}
}
