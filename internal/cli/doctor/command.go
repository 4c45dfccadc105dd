package doctor

import (
	"context"
	"fmt"
	"io"
	"strings"

	"go.temporal.io/sdk/contrib/envconfig"

	"lumaflow/internal/command"
	"lumaflow/webhook"
	"lumaflow/worker"
)

// Command examines the setup that the settings of the workers and the webhook
// describe.
type Command struct {
	worker.Settings      `embed:""`
	webhook.Signing      `embed:""`
	Fix                  bool     `help:"Create the search attributes that the namespace lacks."`
	Only                 []string `placeholder:"CHECK" enum:"settings,temporal,attributes,workers,submissions,key,clock,callback,signature,output,work" help:"Run these checks alone."`
	JSON                 bool     `name:"json" help:"Print one JSON object."`
	command.QuietLogging `embed:""`

	// Env looks up Temporal's own settings; nil means the process environment.
	Env envconfig.EnvLookup `kong:"-"`

	// malformed says what BeforeReset has found.
	malformed []string
}

// Help shows what is checked, and where it makes sense.
func (Command) Help() string {
	return `Checks with the settings of the workers and the webhook, side by side, in at most a minute:

  settings     the settings that are no other check's
  temporal     the server answers, the namespace is there
  attributes   the namespace has the search attributes; --fix creates them
  workers      a worker takes jobs from the task queue
  submissions  a worker takes submissions from the task queue for them
  key          kie.ai accepts the API key, there is credit left
  clock        this machine's clock agrees with kie.ai's; signatures count for 5 minutes
  callback     CALLBACK_BASE_URL leads to a webhook that knows the secret, without a redirect, in time
  signature    the webhook accepts what is signed with the HMAC key, and nothing else
  output       videos can be stored and read, there is space left
  work         partial downloads can be written, there is space left

Each line says ok, warn or fail, and what to do. The exit code is 1 if any check fails. Nothing is woken, sent to kie.ai
or paid: the webhook is asked with callbacks for jobs that don't exist, whose ids begin with "lumaflow-doctor.". What
the machine it runs on can't show, it does not know: run it where the workers run, and with --only where the webhook runs.

Examples:
  lumaflow doctor
  lumaflow doctor --fix
  lumaflow doctor --only callback,signature,clock
  lumaflow doctor --json | jq '.checks[] | select(.status == "fail")'
  KIE_API_KEY=any KIE_BASE_URL=http://127.0.0.1:8090 lumaflow doctor    # with lumaflow simulate`
}

// report is what the command prints as JSON.
type report struct {
	// OK says that no check fails.
	OK     bool      `json:"ok"`
	Checks []Finding `json:"checks"`
}

// Run examines, prints a line for each check, and fails if one of them does.
func (c *Command) Run(ctx context.Context, streams command.Streams) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var findings []Finding
	var failed []string
	err := examine(ctx, c.newExamination(ctx, c.Logger(streams.Err)).checks(), func(finding Finding) {
		findings = append(findings, finding)
		if finding.Status == Fail {
			failed = append(failed, finding.Check)
		}
		if !c.JSON {
			finding.print(streams.Out)
		}
	})
	if err != nil {
		return fmt.Errorf("examine the setup: interrupted: %w", err)
	}
	if c.JSON {
		if err := command.WriteJSON(streams.Out, report{OK: len(failed) == 0, Checks: findings}); err != nil {
			return fmt.Errorf("print the findings: %w", err)
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("%d of %d checks failed: %s", len(failed), len(findings), strings.Join(failed, ", "))
	}
	return nil
}

func (f Finding) print(w io.Writer) {
	status := string(f.Status)
	if f.Status == Skipped {
		status = "-"
	}
	// Whether it arrives is the reader's concern.
	_, _ = fmt.Fprintf(w, "%-4s  %-11s  %s\n", status, f.Check, f.Message)
}
