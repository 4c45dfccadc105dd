package webhook

import (
	"context"

	"lumaflow/internal/callback"
	"lumaflow/internal/command"
	"lumaflow/internal/kie"
	"lumaflow/internal/telemetry"
	"lumaflow/internal/telemetry/metrics"
	"lumaflow/internal/temporal/dial"
)

// Command is lumaflow webhook.
type Command struct {
	CallbackSecret  string `env:"CALLBACK_SECRET" secret:"" placeholder:"SECRET" help:"Verifies the callback address of each job; the same value as in the worker. At least 32 bytes; several, comma-separated, during a rotation. Required."`
	Signing         `embed:""`
	Listen          string `name:"webhook-listen" env:"WEBHOOK_LISTEN" default:":8080" help:"Address to listen on, host:port."`
	TaskQueue       string `env:"TASK_QUEUE" default:"lumaflow" help:"Temporal task queue that collects the paid tasks of deleted jobs; those of other ended jobs are collected on the queue of the job."`
	telemetry.Flags `embed:""`
	command.Logging `embed:""`
}

// Signing is the setting of callback signatures, shared with doctor.
type Signing struct {
	HMACKey string `name:"kie-webhook-hmac-key" env:"KIE_WEBHOOK_HMAC_KEY" secret:"" placeholder:"KEY" help:"The webhookHmacKey of https://kie.ai/settings; callbacks must then be signed. Several, comma-separated, during a rotation. Empty: signatures are not required."`
}

// Verifier returns the verifier of those signatures. Its error is a usage error.
func (s Signing) Verifier() (kie.Verifier, error) {
	verifier, err := kie.ParseVerifier(s.HMACKey)
	if err != nil {
		return kie.Verifier{}, command.Usagef("%w", err)
	}
	return verifier, nil
}

// Help is the long help text.
func (Command) Help() string {
	return `kie.ai posts callbacks to the CALLBACK_BASE_URL of the workers. Route that address to the webhook with paths
unchanged. Any number of webhooks can run, each with the CALLBACK_SECRET of the workers. GET /healthz answers 200 while
the webhook runs; SIGTERM drains it within 20 seconds. With METRICS_LISTEN, a second port serves /metrics for Prometheus,
/healthz, and /readyz, which is 200 while Temporal answers and 503 otherwise and from SIGTERM on. The webhook then accepts
callbacks for 5 more seconds before it drains, so that a load balancer that checks /readyz switches in time.

A callback for a job that is over starts a job that collects the task, at no cost, unless a person ended the job: then
lumaflow list --at-risk has the task.

` + command.TemporalHelp + `
` + command.SecretsHelp + `

Examples:
  CALLBACK_SECRET=$(openssl rand -base64 48) lumaflow webhook
  CALLBACK_SECRET=… KIE_WEBHOOK_HMAC_KEY=… lumaflow webhook --log-format json
  lumaflow webhook --webhook-listen 127.0.0.1:9000 --metrics-listen :9464`
}

// Run checks the settings, listens, connects to Temporal and serves until ctx
// ends.
func (c *Command) Run(ctx context.Context, streams command.Streams) error {
	options, server, err := c.options()
	if err != nil {
		return err
	}
	options.Logger = c.Logger(streams.Err)
	listener, err := command.Listen(ctx, "WEBHOOK_LISTEN", c.Listen)
	if err != nil {
		return err
	}
	defer listener.Close()
	instruments, err := telemetry.Start(ctx, telemetry.Options{
		Flags: c.Flags, Role: "lumaflow-webhook", Counters: metrics.OfWebhook, Logger: options.Logger,
	})
	if err != nil {
		return err
	}
	defer instruments.Close() //nolint:contextcheck // Close has a deadline of its own, because ctx has ended.
	temporal, err := dial.Temporal(ctx, dial.Options{
		Logger: options.Logger, Wait: dial.StartupWait, Metrics: instruments.Metrics(), Interceptors: instruments.Interceptors(),
	})
	if err != nil {
		return err
	}
	defer temporal.Close()
	options.Signaler = NewSignaler(temporal)
	server.Codec = dial.Guarded(server, options.Logger, instruments.Metrics())
	options.Collector = NewCollector(temporal, server.Codec.ForClient().Data, server.Namespace, c.TaskQueue)
	options.Metrics = instruments.Metrics()
	reach, err := dial.Reachable(temporal, nil)
	if err != nil {
		return err
	}
	instruments.Readiness.Begin(telemetry.Check{Name: "temporal", Probe: reach})
	defer context.AfterFunc(ctx, instruments.Readiness.Drain)()
	handler := New(options)
	if c.MetricsListen != "" {
		ctx, handler = delayShutdown(ctx, handler)
	}
	return Serve(ctx, listener, handler, options.Logger)
}

// options checks all settings before the first connection. Errors name the
// variable.
func (c *Command) options() (options Options, server dial.Settings, err error) {
	secrets, err := callback.ParseSecrets(c.CallbackSecret)
	if err != nil {
		return options, server, command.Usagef("%w", err)
	}
	if c.TaskQueue == "" {
		return options, server, command.Usagef("TASK_QUEUE is empty: leave it unset for the default")
	}
	verifier, err := c.Verifier()
	if err != nil {
		return options, server, err
	}
	if server, err = dial.Load(nil); err != nil {
		return options, server, err
	}
	return Options{Namespace: server.Namespace, Secrets: secrets, Verifier: verifier}, server, nil
}
