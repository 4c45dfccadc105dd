// Package health checks a lumaflow process over HTTP, for containers without a
// shell and curl. The endpoints are in telemetry, webhook and codecserver.
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

// maxReason bounds, in bytes, the part of an answer that goes into the error.
const maxReason = 512

// Command is lumaflow health: one check of one address.
type Command struct {
	URL     string        `arg:"" help:"Address to check, like http://127.0.0.1:9464/readyz."`
	Timeout time.Duration `default:"5s" help:"Timeout for the answer (${default})."`
}

// Help is the long help text.
func (Command) Help() string {
	return `Sends one GET and exits 0 if the answer is 2xx. Any other result, including a redirect, exits 1 with one line that
gives the result. Proxies are not used.

Examples:
  lumaflow health http://127.0.0.1:8080/healthz
  lumaflow health --timeout 2s http://127.0.0.1:9464/readyz`
}

// Run sends one GET. Its errors are one line, without the password of the address.
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
		return command.Usagef("invalid address: %w", err)
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
	// A partial reason is better than none.
	reason, _ := io.ReadAll(io.LimitReader(response.Body, maxReason))
	if text := oneline.Clean(string(reason)); text != "" {
		err = fmt.Errorf("%w: %s", err, text)
	}
	return err
}
