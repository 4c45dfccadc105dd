package doctor

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"lumaflow/internal/kie"
)

// These functions give external tests the parts whose outcome depends on a public
// address, a long wait or a full disk.

// Examine runs named checks.
func Examine(ctx context.Context, names []string, run func(ctx context.Context, name string) Finding, report func(Finding)) error {
	var checks []check
	for _, name := range names {
		checks = append(checks, check{name, func(ctx context.Context) Finding { return run(ctx, name) }})
	}
	return examine(ctx, checks, report)
}

// WebhookFinding evaluates a webhook that answers correctly.
func WebhookFinding(base, address string, took time.Duration, simulated bool) Finding {
	parsed, _ := url.Parse(base)
	unauthorized := reply{status: http.StatusUnauthorized, text: "unauthorized"}
	accepted := reply{status: http.StatusBadRequest, text: "no callback of kie.ai"}
	got := replies{wrongToken: unauthorized, rightToken: accepted, oddID: accepted, unsigned: unauthorized}
	got.wrongToken.address, _ = netip.ParseAddr(address)
	got.rightToken.took = took
	return webhookFinding(got, parsed, "default", simulated)
}

// Unreachable evaluates a probe without an answer.
func Unreachable(err error) Finding { return unreachable("https://hooks.example.org", err) }

// ModelsFinding compares the models in use with those of a catalogue.
func ModelsFinding(listed []kie.Listed, used []string, simulated bool) Finding {
	return modelsFinding(listed, used, simulated)
}

// FreeFinding evaluates the free bytes of a disk.
func FreeFinding(free uint64) Finding { return freeFinding("it can be written", "WORK_DIR", free) }

// FreeSpace is the free space of a folder's disk in bytes.
func FreeSpace(folder string) (uint64, error) { return freeSpace(folder) }

// The bounds of an examination.
const (
	CheckTime = checkTime
	GraceTime = graceTime
)

// PlainOnPublicHost reports whether a URL is plain http on a public host.
func PlainOnPublicHost(base string) bool {
	parsed, err := url.Parse(base)
	return err == nil && plainOnPublicHost(parsed)
}
