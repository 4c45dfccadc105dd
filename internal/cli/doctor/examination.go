package doctor

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"go.temporal.io/sdk/client"

	"lumaflow/internal/command"
	"lumaflow/internal/kie"
	"lumaflow/internal/temporal/dial"
)

// examination is what the checks share. What several of them need is found out
// once, by the first that asks.
type examination struct {
	*Command
	logger *slog.Logger

	server   func() (dial.Settings, error)
	temporal func() (client.Client, error)
	clock    func() (kie.Clock, error)
	webhook  func() webhookExam
}

// newExamination prepares the checks; ctx has to outlive them, and ends what
// they have opened.
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
	e.webhook = sync.OnceValue(func() webhookExam { return e.examineWebhook(ctx) })
	return e
}

// checks are the lines of the examination.
func (e *examination) checks() []check {
	all := []check{
		{"settings", e.lookAtSettings},
		{"temporal", e.lookAtTemporal},
		{"attributes", e.lookAtAttributes},
		{"workers", e.lookAtWorkers},
		{"submissions", e.lookAtSubmissions},
		{"key", e.lookAtKey},
		{"clock", e.lookAtClock},
		{"callback", e.lookAtCallback},
		{"signature", e.lookAtSignature},
		{"output", e.lookAtOutput},
		{"work", e.lookAtWork},
	}
	return slices.DeleteFunc(all, func(c check) bool { return !e.examines(c.name) })
}

func (e *examination) examines(check string) bool {
	return len(e.Only) == 0 || slices.Contains(e.Only, check)
}

// skipped is the finding of a check that can't be made because another one fails.
// Where that one is left out, nobody else would tell, so this one fails.
func (e *examination) skipped(other string, failure error, reason string) Finding {
	if e.examines(other) {
		return skippedf("%s", reason)
	}
	return failf("%s", said(failure))
}

func userAgent() string { return kie.UserAgent(command.Version()) }

// maxSaid bounds, in bytes, what a finding repeats of somebody else's words.
const maxSaid = 300

// said is what a finding repeats of an error.
func said(err error) string {
	text := err.Error()
	if len(text) > maxSaid {
		text = strings.ToValidUTF8(text[:maxSaid], "") + "…"
	}
	return text
}
