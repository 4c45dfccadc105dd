// Package health asks a lumaflow process how it is, for where there is no
// shell and no curl: the health checks of a container. What answers is in
// telemetry, webhook and codecserver.
package health

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"lumaflow/internal/command"
	"lumaflow/internal/oneline"
)

// maxReason is how much of an answer is read for the reason it may give, in
// bytes.
const maxReason = 512

// Command is one look at one address.
type Command struct {
	URL     string        `arg:"" help:"Address to ask, like http://127.0.0.1:9464/readyz."`
	Timeout time.Duration `default:"5s" help:"How long the answer may take (${default})."`
}

// Help shows how it is used.
func (Command) Help() string {
	return `Sends one GET and exits 0 if the answer is 2xx. Anything else, a redirect too, exits 1 with a line that says what
came. Proxies are not used.

Examples:
  lumaflow health http://127.0.0.1:8080/healthz
  lumaflow health --timeout 2s http://127.0.0.1:9464/readyz`
}

// Run asks once. Its errors are one line, without the user and password that
// the address may hold.
func (c *Command) Run(ctx context.Context) error {
	address, err := url.Parse(c.URL)
	if err != nil || address.Hostname() == "" || (address.Scheme != "http" && address.Scheme != "https") {
		return command.Usagef("the address must be an http or https URL, like http://127.0.0.1:9464/readyz")
	}
	if c.Timeout <= 0 {
		return command.Usagef("--timeout is %s: give a duration above 0s", c.Timeout)
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return command.Usagef("the address can't be asked: %w", err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s gave no answer within %s", address.Redacted(), c.Timeout)
	case err != nil:
		return fmt.Errorf("%s gave no answer: %w", address.Redacted(), err)
	}
	defer response.Body.Close()
	if response.StatusCode/100 == 2 {
		return nil
	}
	err = fmt.Errorf("%s answered %d %s", address.Redacted(), response.StatusCode, http.StatusText(response.StatusCode))
	// What could be read of the reason is better than none.
	reason, _ := io.ReadAll(io.LimitReader(response.Body, maxReason))
	if said := oneline.Clean(string(reason)); said != "" {
		err = fmt.Errorf("%w: %s", err, said)
	}
	return err
}
