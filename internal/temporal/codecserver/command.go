package codecserver

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"lumaflow/internal/command"
	"lumaflow/internal/command/serving"
	"lumaflow/internal/temporal/codec"
)

const (
	headerTime = 5 * time.Second
	readTime   = 15 * time.Second
	writeTime  = 30 * time.Second
	idleTime   = 2 * time.Minute
	drainTime  = 10 * time.Second
	// minTokenBytes is the length from which guessing a token is hopeless.
	minTokenBytes = 32
	makeToken     = "make one with: openssl rand -base64 32"
)

// Command runs the codec server until it is told to stop.
type Command struct {
	Listen          string   `name:"codec-listen" env:"CODEC_LISTEN" default:"127.0.0.1:8081" placeholder:"ADDRESS" help:"Where to listen, host:port (${default})."`
	Origins         []string `name:"codec-origin" env:"CODEC_ORIGIN" placeholder:"ORIGIN" help:"The Temporal UI's address as browsers have it, like https://temporal.example.org; several, comma-separated. Default: no web page may ask."`
	Token           string   `name:"codec-token" env:"CODEC_TOKEN" placeholder:"TOKEN" help:"Who asks must send this bearer token, of at least 32 bytes. Required unless it listens on this machine alone."`
	command.Logging `embed:""`
}

// Help shows how the codec server is started and asked.
func (Command) Help() string {
	return `Decrypts what CODEC_KEYS has encrypted for Temporal's UI and CLI, and for whoever else may ask: put it where only
those reach it who may read the jobs. GET /healthz answers 200 while it runs; SIGTERM drains. It needs no Temporal.

The CLI sends the token that --codec-auth names. A browser has none to send, so people sign in once: open the address
of the codec server, give any user name and the token as the password, and let the UI include cross-origin credentials.

Examples:
  CODEC_KEYS=… lumaflow codec-server --codec-origin http://localhost:8233
  CODEC_KEYS=… CODEC_TOKEN=$(openssl rand -base64 32) lumaflow codec-server --codec-listen :8081 --codec-origin https://temporal.example.org
  temporal server start-dev --ui-codec-endpoint http://localhost:8081
  temporal workflow show --workflow-id ID --codec-endpoint http://localhost:8081 --codec-auth "Bearer $CODEC_TOKEN"`
}

// Run checks the settings, takes the port and serves until ctx ends.
func (c *Command) Run(ctx context.Context, streams command.Streams) error {
	options, err := c.options()
	if err != nil {
		return err
	}
	options.Logger = c.Logger(streams.Err)
	listener, err := command.Listen(ctx, "CODEC_LISTEN", c.Listen)
	if err != nil {
		return err
	}
	return serving.Run(ctx, listener, &http.Server{
		Handler:           New(options),
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       readTime,
		WriteTimeout:      writeTime,
		IdleTimeout:       idleTime,
	}, "codec-server", drainTime, options.Logger)
}

// options reads what can be refused before the port is taken. Errors name the
// variable.
func (c *Command) options() (Options, error) {
	keys, err := codec.ParseKeys(os.Getenv(codec.Variable))
	if err != nil {
		return Options{}, command.Usagef("%w", err)
	}
	if !keys.Encrypts() {
		return Options{}, command.Usagef("%s is not set: give the keys of the workers", codec.Variable)
	}
	host, _, err := net.SplitHostPort(c.Listen)
	switch {
	case err != nil:
		return Options{}, command.Usagef("CODEC_LISTEN is %q: give host:port, like 127.0.0.1:8081", c.Listen)
	case c.Token == "" && !onThisMachine(host):
		return Options{}, command.Usagef("CODEC_TOKEN is not set but CODEC_LISTEN is %s, which others can reach; %s", c.Listen, makeToken)
	case c.Token != "" && len(c.Token) < minTokenBytes:
		return Options{}, command.Usagef("CODEC_TOKEN has %d bytes but needs at least %d; %s", len(c.Token), minTokenBytes, makeToken)
	}
	options := Options{Codec: keys, Token: c.Token}
	for _, origin := range c.Origins {
		parsed, ok := parseOrigin(origin)
		if !ok {
			return Options{}, command.Usagef("CODEC_ORIGIN is %q: give the UI's scheme, host and port, like http://localhost:8233", origin)
		}
		options.Origins = append(options.Origins, parsed)
	}
	return options, nil
}

func onThisMachine(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// parseOrigin writes an address as browsers write origins.
func parseOrigin(text string) (origin string, ok bool) {
	parsed, err := url.Parse(strings.TrimSuffix(strings.TrimSpace(text), "/"))
	if err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https" {
		return "", false
	}
	host := strings.ToLower(parsed.Host)
	if parsed.Scheme == "http" {
		host = strings.TrimSuffix(host, ":80")
	} else {
		host = strings.TrimSuffix(host, ":443")
	}
	origin = parsed.Scheme + "://" + host
	written := url.URL{Scheme: parsed.Scheme, Host: parsed.Host}
	return origin, *parsed == written
}
