// Package simulate is the command that runs the simulated kie.ai alone.
package simulate

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"lumaflow/internal/command"
	"lumaflow/internal/command/serving"
	"lumaflow/internal/kie/kietest"
)

// drainTime bounds the wait for requests in flight.
const drainTime = 5 * time.Second

// Command runs a simulated kie.ai until its context ends.
type Command struct {
	Listen    string        `env:"SIMULATE_LISTEN" default:"127.0.0.1:8090" placeholder:"ADDRESS" help:"Address to listen on; port 0 takes a free one (${default})."`
	Seed      int64         `default:"1" help:"Fixes the random faults: one seed is one schedule."`
	Faults    []string      `placeholder:"NAME" help:"Random faults: their names, or all. Prompts can name faults without this."`
	FaultRate float64       `default:"0.2" help:"Chance of a random fault at each stage of a job, 0 to 1."`
	Render    time.Duration `default:"3s" help:"How long a generation takes."`

	RateLimit      int           `default:"20" help:"Submissions per 10 s; 0 means no limit."`
	RetryAfter     time.Duration `default:"0s" help:"Retry-After to send with passing refusals; 0s sends none, like kie.ai."`
	Credits        float64       `default:"1000000" help:"Credits of the account; a submission costs 100."`
	UploadLifetime time.Duration `default:"24h" help:"How long an upload can be fetched; a task whose source is gone is charged and fails."`
	UploadFaults   []string      `placeholder:"NAME" help:"What happens to the first uploads, one after the other."`
	State          string        `placeholder:"DIR" help:"Keep the bill and uploads in this folder, so that they survive a kill."`

	APIKey  string `env:"SIMULATE_API_KEY" secret:"" placeholder:"KEY" help:"The only API key to accept; any without it."`
	HMACKey string `env:"SIMULATE_HMAC_KEY" secret:"" placeholder:"KEY" help:"Sign callbacks with this key."`

	command.Logging `embed:""`
}

// Help describes the simulated kie.ai and its faults.
func (Command) Help() string {
	var text strings.Builder
	text.WriteString(`Serves kie.ai's API on this machine and keeps a bill of every accepted submission. It costs nothing, and sends requests
to the given callback URLs only. Its state, the bill, the credit, the random faults, and the accepted API keys and the signing key:

  curl http://127.0.0.1:8090/_sim/ledger
  curl --json '{"credits":1000}' http://127.0.0.1:8090/_sim/topup
  curl --json '{"faults":["reset"],"rate":0.5}' http://127.0.0.1:8090/_sim/faults
  curl --json '{"apiKeys":["a","b"],"hmacKey":"c"}' http://127.0.0.1:8090/_sim/keys

` + command.SecretsHelp + `

Examples:

  lumaflow simulate
  lumaflow simulate --render 30s --faults all --fault-rate 0.3 --seed 7
  KIE_API_KEY=any KIE_BASE_URL=http://127.0.0.1:8090 FETCH_ALLOW_PRIVATE=true lumaflow worker
  lumaflow submit --video https://example.org/in.mp4 --prompt "snow [fault: response-lost, truncated]"

A prompt selects the faults of its job with "[fault: NAME, NAME]", large results with "[size: 500MB]" and several with
"[results: 3]". "[render: held]" holds a generation until curl -X POST http://127.0.0.1:8090/_sim/release. The faults:

`)
	for _, fault := range kietest.Faults() {
		_, _ = fmt.Fprintf(&text, "  %-23s %s\n", fault.Name, fault.Description)
	}
	text.WriteString("\nUploads have no prompt; --upload-faults selects their faults, each for one upload:\n\n")
	for _, fault := range kietest.UploadFaults() {
		_, _ = fmt.Fprintf(&text, "  %-23s %s\n", fault.Name, fault.Description)
	}
	return text.String()
}

// Run serves until ctx ends. It prints one line as soon as it listens.
func (c *Command) Run(ctx context.Context, streams command.Streams) error {
	options, err := c.options(streams)
	if err != nil {
		return err
	}
	kie, err := kietest.New(options) //nolint:contextcheck // its tasks last until Close, not until the end of a request
	if errors.Is(err, kietest.ErrUnknownFault) {
		return command.Usagef("--faults or --upload-faults: %w; lumaflow simulate --help lists them all", err)
	}
	if err != nil {
		return fmt.Errorf("start the simulator: %w", err)
	}
	defer func() { _ = kie.Close() }()
	listener, err := command.Listen(ctx, "SIMULATE_LISTEN", c.Listen)
	if err != nil {
		return err
	}
	address := reachable(listener.Addr())
	_, _ = fmt.Fprintf(streams.Out, "simulated kie.ai at %[1]s, bill at %[1]s/_sim/ledger; "+
		"use it with KIE_API_KEY=any KIE_BASE_URL=%[1]s KIE_UPLOAD_BASE_URL=%[1]s FETCH_ALLOW_PRIVATE=true\n", address)
	// No write timeout: a stalled response is one of the faults.
	server := &http.Server{Handler: kie, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	closed := make(chan error, 1)
	// The end of kie ends stalled transfers, which the drain would wait for.
	server.RegisterOnShutdown(func() { closed <- kie.Close() })
	if err := serving.Run(ctx, listener, server, "simulator", drainTime, options.Logger); err != nil {
		return err
	}
	return <-closed
}

func (c *Command) options(streams command.Streams) (kietest.Options, error) {
	switch {
	case !(c.FaultRate >= 0 && c.FaultRate <= 1):
		return kietest.Options{}, command.Usagef("--fault-rate: %v is not between 0 and 1", c.FaultRate)
	case c.RateLimit < 0:
		return kietest.Options{}, command.Usagef("--rate-limit: %d is below 0", c.RateLimit)
	case c.UploadLifetime <= 0:
		return kietest.Options{}, command.Usagef("--upload-lifetime must be above 0s")
	case c.Render < 0 || c.RetryAfter < 0:
		return kietest.Options{}, command.Usagef("--render and --retry-after can't be below 0s")
	}
	options := kietest.Options{
		Seed:           c.Seed,
		Faults:         c.Faults,
		FaultRate:      c.FaultRate,
		Render:         c.Render,
		RateLimit:      c.RateLimit,
		RetryAfter:     c.RetryAfter,
		Credits:        c.Credits,
		APIKey:         c.APIKey,
		HMACKey:        c.HMACKey,
		StateDir:       c.State,
		UploadLifetime: c.UploadLifetime,
		UploadFaults:   c.UploadFaults,
		Logger:         c.Logger(streams.Err),
	}
	// A flag of 0 means zero; a zero in Options means the default.
	if options.RateLimit == 0 {
		options.RateLimit = -1
	}
	if options.Credits == 0 {
		options.Credits = -1
	}
	if modify, ok := kietest.FFmpeg(); ok {
		options.Modify = modify
	}
	return options, nil
}

// reachable is the URL of a listening address for a client on this machine.
func reachable(address net.Addr) string {
	host, port, err := net.SplitHostPort(address.String())
	if err != nil {
		return "http://" + address.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}
