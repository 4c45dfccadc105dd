package doctor

import (
	"context"
	"log/slog"
	"slices"
	"sync"

	"go.temporal.io/sdk/client"

	"lumaflow/internal/command"
	"lumaflow/internal/kie"
	"lumaflow/internal/oneline"
	"lumaflow/internal/temporal/dial"
)

// examination is the state shared by the checks. The functions compute their
// result once, on first use.
type examination struct {
	*Command
	logger *slog.Logger

	server   func() (dial.Settings, error)
	temporal func() (client.Client, error)
	clock    func() (kie.Clock, error)
	webhook  func() webhookProbe
}

// newExamination prepares the checks. The end of ctx closes their connections, so
// ctx must outlive them.
func (c *Command) newExamination(ctx context.Context, logger *slog.Logger) *examination {
	e := &examination{Command: c, logger: logger}
	e.server = sync.OnceValues(func() (dial.Settings, error) { return dial.Load(c.Env) })
	e.temporal = sync.OnceValues(func() (client.Client, error) {
		temporal, err := dial.Temporal(ctx, dial.Options{Logger: logger, Env: c.Env})
		if err == nil {
			context.AfterFunc(ctx, temporal.Close)
		}
		return temporal, err
	})
	e.clock = sync.OnceValues(func() (kie.Clock, error) {
		return kie.CompareClocks(ctx, kie.Options{BaseURL: c.KieBaseURL, UserAgent: userAgent()})
	})
	e.webhook = sync.OnceValue(func() webhookProbe { return e.probeWebhook(ctx) })
	return e
}

// checks are the selected checks in the order of the output.
func (e *examination) checks() []check {
	all := []check{
		{"settings", e.checkSettings},
		{"temporal", e.checkTemporal},
		{"attributes", e.checkAttributes},
		{"workers", e.checkWorkers},
		{"submissions", e.checkSubmissions},
		{"key", e.checkKey},
		{"clock", e.checkClock},
		{"callback", e.checkCallback},
		{"signature", e.checkSignature},
		{"output", e.checkOutput},
		{"work", e.checkWork},
	}
	return slices.DeleteFunc(all, func(c check) bool { return !e.examines(c.name) })
}

func (e *examination) examines(check string) bool {
	return len(e.Only) == 0 || slices.Contains(e.Only, check)
}

// skipped is the finding of a check that depends on a failed one. If --only leaves
// that one out, this one fails in its place.
func (e *examination) skipped(other string, failure error, reason string) Finding {
	if e.examines(other) {
		return skippedf("%s", reason)
	}
	return failf("%s", brief(failure))
}

func userAgent() string { return kie.UserAgent(command.Version()) }

// brief is an error text of at most 300 bytes in one line.
func brief(err error) string { return oneline.Truncate(err.Error(), 300) }
