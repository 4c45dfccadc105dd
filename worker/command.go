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

	"lumaflow/activities"
	"lumaflow/internal/command"
	"lumaflow/internal/command/lean"
	"lumaflow/internal/kie"
	"lumaflow/internal/telemetry"
	"lumaflow/internal/telemetry/metrics"
	"lumaflow/internal/temporal/dial"
)

// keyCheckTimeout bounds the look at the account when a worker starts.
const keyCheckTimeout = 15 * time.Second

// Command runs a worker until it is told to stop.
type Command struct {
	Settings        `embed:""`
	telemetry.Flags `embed:""`
	command.Logging `embed:""`

	// Env looks up Temporal's own settings; nil means the process environment.
	Env envconfig.EnvLookup `kong:"-"`
}

// Help shows how a worker is started.
func (Command) Help() string {
	return `A worker runs the workflows and all activities. Start as many as you like, on as many machines; the rate
of submissions holds for all of them together. SIGTERM drains: running submissions end, downloads are left to the
next worker, which goes on where they stopped if it has the same WORK_DIR. That takes at most 80 seconds, so give it 90
before you kill it. With METRICS_LISTEN, a port of its own serves /metrics for Prometheus, /healthz, and /readyz, which is
200 while Temporal answers, sees this worker ask for work, and OUTPUT_URL can be written.

With TEMPORAL_DEPLOYMENT_NAME the worker has a version, and an open job stays with the version it began on. New jobs come
once an operator has made the version current; until then the log says so and names the command.

Examples:
  KIE_API_KEY=… lumaflow worker
  KIE_API_KEY=… CALLBACK_BASE_URL=https://hooks.example.org CALLBACK_SECRET=… lumaflow worker
  lumaflow worker --output-url /srv/videos --task-queue studio-a --metrics-listen :9464
  lumaflow worker --output-url "s3://my-bucket?region=eu-central-1&prefix=videos/"
  TEMPORAL_DEPLOYMENT_NAME=lumaflow TEMPORAL_WORKER_BUILD_ID=v1.3.0 lumaflow worker`
}

// Run checks the settings, the store and the key, and works until ctx ends.
func (c *Command) Run(ctx context.Context, streams command.Streams) error {
	logger := c.Logger(streams.Err)
	version, err := c.Version()
	if err != nil {
		return err
	}
	server, err := dial.Load(c.Env)
	if err != nil {
		return err
	}
	if err := c.Pace(); err != nil {
		return err
	}
	shown, err := telemetry.Start(ctx, telemetry.Options{
		Flags: c.Flags, Role: "lumaflow-worker", Counters: metrics.OfWorker, Logger: logger,
	})
	if err != nil {
		return err
	}
	defer shown.Close()
	options, provider, err := c.build(ctx, logger)
	if err != nil {
		return err
	}
	if err := checkKey(ctx, provider, logger); err != nil {
		return err
	}
	identity := dial.Identity()
	dialling := dial.Options{
		Logger: logger, Identity: identity, Env: c.Env, Worker: true, Wait: dial.StartupWait,
		Metrics: shown.Metrics(), Interceptors: shown.Interceptors(),
	}
	temporal, err := dial.Temporal(ctx, dialling)
	if err != nil {
		return err
	}
	defer temporal.Close()
	onlooker, err := dial.QueryClient(ctx, temporal, dialling)
	if err != nil {
		return err
	}
	defer onlooker.Close()
	options.Recorder = temporal
	options.SearchAttributes = NewAttributeProbe(temporal, server.Namespace, logger).Available
	acts, err := activities.New(options)
	if err != nil {
		return fmt.Errorf("start the worker: %w", err)
	}
	reach, err := dial.Reachable(temporal, c.Env)
	if err != nil {
		return err
	}
	show := show{Telemetry: shown, temporal: onlooker, server: server, identity: identity, taskQueue: c.TaskQueue}
	defer show.countJobs(ctx, logger)()
	defer lean.Stay(ctx)()
	return Run(ctx, temporal, acts, Options{
		TaskQueue:        c.TaskQueue,
		SubmitsPerSecond: c.SubmitsPerSecond,
		Version:          version,
		Logger:           logger,
		Started:          func() { show.ready(reach, options.Store) },
		Draining:         shown.Readiness.Drain,
	})
}

// build makes everything of the activities that needs no Temporal.
func (c *Command) build(ctx context.Context, logger *slog.Logger) (activities.Options, *kie.Client, error) {
	var none activities.Options
	provider, err := c.Provider(logger)
	if err != nil {
		return none, nil, err
	}
	minter, secrets, err := c.Callbacks()
	if err != nil {
		return none, nil, err
	}
	fetcher, err := c.Fetcher(logger)
	if err != nil {
		return none, nil, err
	}
	videos, err := c.Store(ctx)
	if err != nil {
		return none, nil, err
	}
	return activities.Options{
		Provider:     provider,
		Fetcher:      fetcher,
		Store:        videos,
		Callbacks:    minter,
		Secrets:      secrets,
		PollAfter:    c.PollAfter,
		PollInterval: c.PollInterval,
	}, provider, nil
}

// checkKey asks for the credit: a refused key would hold every job, a provider
// that is down mends itself.
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
		return fmt.Errorf("kie.ai refuses KIE_API_KEY (code 401): check it at https://kie.ai/api-key")
	default:
		logger.Warn("kie.ai can't be asked about the key; jobs will wait until it answers", "error", err)
		return nil
	}
}
