// Package doctor checks a setup from end to end: everything that a job needs
// between its start and its file, with the settings of the workers and the
// webhook. It starts no job, submits nothing and costs nothing.
package doctor

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"go.temporal.io/sdk/client"

	"lumaflow/internal/command"
	"lumaflow/internal/kie"
	"lumaflow/internal/oneline"
	"lumaflow/internal/temporal/dial"
)

const (
	// checkTime bounds one check. The longest is that of the signature: kie.ai's
	// time and a slow webhook, one after the other.
	checkTime = 45 * time.Second
	// graceTime is the extra time for a check that ignores its context, such as a
	// system call on a network disk that does not answer.
	graceTime = 2 * time.Second
)

// Status is the result of a check.
type Status string

// With Warn jobs still work; Fail prevents that a job ends as a file. A Skipped
// check depends on one that failed.
const (
	OK      Status = "ok"
	Warn    Status = "warn"
	Fail    Status = "fail"
	Skipped Status = "skipped"
)

// Finding is the result of one check. Message is one line without secrets.
type Finding struct {
	Check   string `json:"check"`
	Status  Status `json:"status"`
	Message string `json:"message"`
}

func okf(format string, args ...any) Finding   { return found(OK, format, args) }
func warnf(format string, args ...any) Finding { return found(Warn, format, args) }
func failf(format string, args ...any) Finding { return found(Fail, format, args) }

// skippedf gives the problem that prevents the check.
func skippedf(format string, args ...any) Finding {
	return found(Skipped, "skipped: "+format, args)
}

func found(status Status, format string, args []any) Finding {
	return Finding{Status: status, Message: oneline.Clean(fmt.Sprintf(format, args...))}
}

// check is one named check.
type check struct {
	name string
	run  func(context.Context) Finding
}

// examine runs the checks in parallel and reports in their order, each as soon as
// it and all before it have ended. It ends early only with ctx. The goroutine of
// a check that ignores its context is left running.
func examine(ctx context.Context, checks []check, report func(Finding)) error {
	results := make([]chan Finding, len(checks))
	for i, check := range checks {
		results[i] = make(chan Finding, 1)
		go func() {
			ctx, cancel := context.WithTimeout(ctx, checkTime)
			defer cancel()
			results[i] <- check.run(ctx)
		}()
	}
	overdue, cancel := context.WithTimeout(ctx, checkTime+graceTime)
	defer cancel()
	for i, check := range checks {
		finding := failf("there is no result after %s: a server or a disk does not answer", checkTime+graceTime)
		select {
		case finding = <-results[i]:
		case <-overdue.Done():
			select {
			case finding = <-results[i]:
			default:
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		finding.Check = check.name
		report(finding)
	}
	return nil
}

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
		{"proxy", e.checkProxy},
		{"models", e.checkModels},
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
