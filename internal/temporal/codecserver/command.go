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
	headerTimeout = 5 * time.Second
	readTimeout   = 15 * time.Second
	writeTimeout  = 30 * time.Second
	idleTimeout   = 2 * time.Minute
	drainTimeout  = 10 * time.Second
	// minTokenBytes rules out guessing a token.
	minTokenBytes = 32
	createToken   = "make one with: openssl rand -base64 32"
)

// Command is lumaflow codec-server.
type Command struct {
	Listen          string   `name:"codec-listen" env:"CODEC_LISTEN" default:"127.0.0.1:8081" placeholder:"ADDRESS" help:"Listen address, host:port (${default})."`
	Origins         []string `name:"codec-origin" env:"CODEC_ORIGIN" placeholder:"ORIGIN" help:"Allowed origins of browser requests: the address of the Temporal UI in the browser, like https://temporal.example.org; several, comma-separated. Default: none."`
	Token           string   `name:"codec-token" env:"CODEC_TOKEN" secret:"" placeholder:"TOKEN" help:"Bearer token that every request must carry, of at least 32 bytes. Required unless the listen address is a loopback address."`
	command.Logging `embed:""`
}

// Help is the description and the examples of --help.
func (Command) Help() string {
	return `Decrypts payloads for Temporal's UI and CLI, with the keys in CODEC_KEYS. Every client with access can read all jobs:
restrict the network accordingly. GET /healthz answers 200; SIGTERM drains. No connection to Temporal is needed.

The CLI sends the value of --codec-auth. In a browser, sign in once: open the address of the codec server, enter any user
name and the token as the password, and turn on "Include cross-origin credentials" in the UI.

Examples:
  CODEC_KEYS=… lumaflow codec-server --codec-origin http://localhost:8233
  CODEC_KEYS=… CODEC_TOKEN=$(openssl rand -base64 32) lumaflow codec-server --codec-listen :8081 --codec-origin https://temporal.example.org
  temporal server start-dev --ui-codec-endpoint http://localhost:8081
  temporal workflow show --workflow-id ID --detailed --codec-endpoint http://localhost:8081 --codec-auth "Bearer $CODEC_TOKEN"`
}

// Run checks the settings and serves until ctx ends.
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
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
	}, "codec-server", drainTimeout, options.Logger)
}

// options validates the settings. Errors name the variable.
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
	case c.Token == "" && !isLoopback(host):
		return Options{}, command.Usagef("CODEC_TOKEN is not set but CODEC_LISTEN is %s, which other machines can reach; %s", c.Listen, createToken)
	case c.Token != "" && len(c.Token) < minTokenBytes:
		return Options{}, command.Usagef("CODEC_TOKEN has %d bytes but needs at least %d; %s", len(c.Token), minTokenBytes, createToken)
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

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// parseOrigin normalizes a URL to the form of the Origin header.
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
	onlyOrigin := url.URL{Scheme: parsed.Scheme, Host: parsed.Host}
	return origin, *parsed == onlyOrigin
}
