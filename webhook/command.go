package webhook

import (
	"context"

	"lumaflow/internal/callback"
	"lumaflow/internal/command"
	"lumaflow/internal/command/lean"
	"lumaflow/internal/kie"
	"lumaflow/internal/telemetry"
	"lumaflow/internal/telemetry/metrics"
	"lumaflow/internal/temporal/dial"
)

// Command runs the webhook until it is told to stop.
type Command struct {
	CallbackSecret  string `env:"CALLBACK_SECRET" placeholder:"SECRET" help:"Recognises the callback address of each job, as in the worker. At least 32 bytes; several, comma-separated, while replacing one. Required."`
	Signing         `embed:""`
	Listen          string `name:"webhook-listen" env:"WEBHOOK_LISTEN" default:":8080" help:"Where to listen, host:port."`
	telemetry.Flags `embed:""`
	command.Logging `embed:""`
}

// Signing says whose signatures callbacks must carry. The doctor has the same
// setting.
type Signing struct {
	HMACKey string `name:"kie-webhook-hmac-key" env:"KIE_WEBHOOK_HMAC_KEY" placeholder:"KEY" help:"The webhookHmacKey of https://kie.ai/settings; callbacks must then be signed. Several, comma-separated, while replacing one. Empty: signatures are not required."`
}

// Verifier checks those signatures. Its error is a usage error.
func (s Signing) Verifier() (kie.Verifier, error) {
	verifier, err := kie.ParseVerifier(s.HMACKey)
	if err != nil {
		return kie.Verifier{}, command.Usagef("%w", err)
	}
	return verifier, nil
}

// Help shows how the webhook is started.
func (Command) Help() string {
	return `kie.ai posts to CALLBACK_BASE_URL of the workers, which must lead here and pass paths on as they are. Start as
many webhooks as you like, each with the secret of the workers. GET /healthz answers 200 while it runs; SIGTERM drains,
which takes at most 20 seconds. With METRICS_LISTEN, another port serves /metrics for Prometheus, /healthz, and /readyz,
which is 200 while Temporal answers and 503 while it does not or the webhook drains. It then goes on taking callbacks for
5 seconds before it drains, so that a load balancer that asks for /readyz sends them to another webhook in time.

Examples:
  CALLBACK_SECRET=$(openssl rand -base64 48) lumaflow webhook
  CALLBACK_SECRET=… KIE_WEBHOOK_HMAC_KEY=… lumaflow webhook --log-format json
  lumaflow webhook --webhook-listen 127.0.0.1:9000 --metrics-listen :9464`
}

// Run checks the settings, takes its ports, connects to Temporal and serves
// until ctx ends.
func (c *Command) Run(ctx context.Context, streams command.Streams) error {
	options, err := c.options()
	if err != nil {
		return err
	}
	options.Logger = c.Logger(streams.Err)
	listener, err := command.Listen(ctx, "WEBHOOK_LISTEN", c.Listen)
	if err != nil {
		return err
	}
	defer listener.Close()
	shown, err := telemetry.Start(ctx, telemetry.Options{
		Flags: c.Flags, Role: "lumaflow-webhook", Counters: metrics.OfWebhook, Logger: options.Logger,
	})
	if err != nil {
		return err
	}
	defer shown.Close()
	temporal, err := dial.Temporal(ctx, dial.Options{
		Logger: options.Logger, Wait: dial.StartupWait, Metrics: shown.Metrics(), Interceptors: shown.Interceptors(),
	})
	if err != nil {
		return err
	}
	defer temporal.Close()
	options.Signaler = Through(temporal)
	options.Metrics = shown.Metrics()
	reach, err := dial.Reachable(temporal, nil)
	if err != nil {
		return err
	}
	shown.Readiness.Begin(telemetry.Check{Name: "temporal", Probe: reach})
	defer context.AfterFunc(ctx, shown.Readiness.Drain)()
	defer lean.Stay(ctx)()
	handler := New(options)
	if c.MetricsListen != "" {
		ctx, handler = linger(ctx, handler)
	}
	return Serve(ctx, listener, handler, options.Logger)
}

// options reads what can be refused before anything is dialled. Errors name
// the variable.
func (c *Command) options() (Options, error) {
	secrets, err := callback.ParseSecrets(c.CallbackSecret)
	if err != nil {
		return Options{}, command.Usagef("%w", err)
	}
	verifier, err := c.Verifier()
	if err != nil {
		return Options{}, err
	}
	settings, err := dial.Load(nil)
	if err != nil {
		return Options{}, err
	}
	return Options{Namespace: settings.Namespace, Secrets: secrets, Verifier: verifier}, nil
}
