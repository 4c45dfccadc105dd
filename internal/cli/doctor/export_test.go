package doctor

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// The tests of this package are external. These are the parts whose outcome
// takes a public address, a long time or a full disk.

// Examine runs named looks.
func Examine(ctx context.Context, names []string, look func(ctx context.Context, name string) Finding, report func(Finding)) error {
	var checks []check
	for _, name := range names {
		checks = append(checks, check{name, func(ctx context.Context) Finding { return look(ctx, name) }})
	}
	return examine(ctx, checks, report)
}

// JudgeWebhook judges one that works, at an address and after a time.
func JudgeWebhook(base, address string, took time.Duration, rehearsal bool) Finding {
	parsed, _ := url.Parse(base)
	unauthorized := reply{status: http.StatusUnauthorized, word: "unauthorized"}
	known := reply{status: http.StatusBadRequest, word: "no callback of kie.ai"}
	got := replies{stranger: unauthorized, known: known, odd: known, unsigned: unauthorized}
	got.stranger.address, _ = netip.ParseAddr(address)
	got.known.took = took
	return judgeWebhook(got, parsed, "default", rehearsal)
}

// Unreachable judges why there was no answer.
func Unreachable(err error) Finding { return unreachable("https://hooks.example.org", err) }

// JudgeFree judges free bytes.
func JudgeFree(free uint64) Finding { return judgeFree("it can be written", "WORK_DIR", free) }

// FreeSpace asks the system.
func FreeSpace(folder string) (uint64, error) { return freeSpace(folder) }

// The bounds of an examination.
const (
	CheckTime = checkTime
	GraceTime = graceTime
)
