// Package doctor examines a setup from end to end: everything that a job needs
// between its start and its file, as the workers and the webhook are configured,
// without waking, sending or paying anything.
package doctor

import (
	"context"
	"fmt"
	"time"

	"lumaflow/internal/oneline"
)

const (
	// checkTime is what a check gets. The longest way is that of a signature:
	// kie.ai's time and a slow webhook, one after the other.
	checkTime = 45 * time.Second
	// graceTime is how long one that pays no heed to that is waited for, such
	// as a look at a network disk that does not answer.
	graceTime = 2 * time.Second
)

// Status is how a check ended.
type Status string

// OK needs nothing. Warn is what jobs can live with. Fail keeps jobs from
// ending as files, or from ending well. Skipped was not looked at.
const (
	OK      Status = "ok"
	Warn    Status = "warn"
	Fail    Status = "fail"
	Skipped Status = "skipped"
)

// Finding is what one check has found, in one line that holds no secret.
type Finding struct {
	Check   string `json:"check"`
	Status  Status `json:"status"`
	Message string `json:"message"`
}

func okf(format string, args ...any) Finding   { return found(OK, format, args) }
func warnf(format string, args ...any) Finding { return found(Warn, format, args) }
func failf(format string, args ...any) Finding { return found(Fail, format, args) }

// skippedf names what has to be mended first.
func skippedf(format string, args ...any) Finding {
	return found(Skipped, "skipped: "+format, args)
}

func found(status Status, format string, args []any) Finding {
	return Finding{Status: status, Message: oneline.Clean(fmt.Sprintf(format, args...))}
}

// check is one line of the examination.
type check struct {
	name string
	look func(context.Context) Finding
}

// examine runs the checks side by side and reports in their order, each as soon
// as it and all before it have ended. It ends early only with ctx. A check that
// can't be stopped is left behind.
func examine(ctx context.Context, checks []check, report func(Finding)) error {
	results := make([]chan Finding, len(checks))
	for i, check := range checks {
		results[i] = make(chan Finding, 1)
		go func() {
			ctx, cancel := context.WithTimeout(ctx, checkTime)
			defer cancel()
			results[i] <- check.look(ctx)
		}()
	}
	overdue, cancel := context.WithTimeout(ctx, checkTime+graceTime)
	defer cancel()
	for i, check := range checks {
		finding := failf("there is no result after %s: something it asks hangs", checkTime+graceTime)
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
