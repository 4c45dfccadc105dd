package webhook

import (
	"context"
	"net"

	"lumaflow/callback"
	"lumaflow/command"
	"lumaflow/dial"
	"lumaflow/luma"
	"lumaflow/serving"
)

// Command runs the webhook until it is told to stop.
type Command struct {
	CallbackSecret  string `env:"CALLBACK_SECRET" placeholder:"SECRET" help:"Recognises the callback address of each job, as in the worker. At least 32 bytes; several, comma-separated, while replacing one. Required."`
	Signing         `embed:""`
	Listen          string `name:"webhook-listen" env:"WEBHOOK_LISTEN" default:":8080" help:"Where to listen, host:port."`
	command.Logging `embed:""`
}

// Signing says whose signatures callbacks must carry. The doctor has the same
// setting.
type Signing struct {
	HMACKey string `name:"kie-webhook-hmac-key" env:"KIE_WEBHOOK_HMAC_KEY" placeholder:"KEY" help:"The webhookHmacKey of https://kie.ai/settings; callbacks must then be signed. Several, comma-separated, while replacing one. Empty: signatures are not required."`
}

// Verifier checks those signatures. Its error is a usage error.
func (s Signing) Verifier() (luma.Verifier, error) {
	verifier, err := luma.ParseVerifier(s.HMACKey)
	if err != nil {
		return luma.Verifier{}, command.Usagef("%w", err)
	}
	return verifier, nil
}

// Help shows how the webhook is started.
func (Command) Help() string {
	return `kie.ai posts to CALLBACK_BASE_URL of the workers, which must lead here and pass paths on as they are. Start as
many webhooks as you like, each with the secret of the workers. GET /healthz answers 200 while it runs; SIGTERM drains.

Examples:
  CALLBACK_SECRET=$(openssl rand -base64 48) lumaflow webhook
  CALLBACK_SECRET=… KIE_WEBHOOK_HMAC_KEY=… lumaflow webhook --log-format json
  lumaflow webhook --webhook-listen 127.0.0.1:9000`
}

// Run checks the settings, takes the port, connects to Temporal and serves
// until ctx ends.
func (c *Command) Run(ctx context.Context, streams command.Streams) error {
	options, err := c.options()
	if err != nil {
		return err
	}
	options.Logger = c.Logger(streams.Err)
	listener, err := serving.Listen(ctx, c.Listen, "WEBHOOK_LISTEN")
	if err != nil {
		return err
	}
	defer listener.Close()
	temporal, err := dial.Temporal(ctx, dial.Options{Logger: options.Logger})
	if err != nil {
		return err
	}
	defer temporal.Close()
	options.Signaler = Through(temporal)
	return Serve(ctx, listener, New(options), options.Logger)
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
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return Options{}, command.Usagef("WEBHOOK_LISTEN is %q: give host:port, like :8080", c.Listen)
	}
	settings, err := dial.Load(nil)
	if err != nil {
		return Options{}, err
	}
	return Options{Namespace: settings.Namespace, Secrets: secrets, Verifier: verifier}, nil
}
