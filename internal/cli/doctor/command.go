package doctor

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/dustin/go-humanize/english"
	"go.temporal.io/sdk/contrib/envconfig"

	"lumaflow/internal/command"
	"lumaflow/webhook"
	"lumaflow/worker"
)

// Command checks the setup given by the settings of the workers and the webhook.
type Command struct {
	worker.Settings `embed:""`
	webhook.Signing `embed:""`
	Fix             bool     `help:"Create the search attributes that the namespace lacks."`
	Only            []string `placeholder:"CHECK" enum:"settings,temporal,attributes,workers,submissions,key,clock,callback,signature,output,work,proxy,models" help:"Run these checks alone."`
	JSON            bool     `name:"json" help:"Print one JSON object."`
	command.Logging `embed:"" set:"log_level=warn"`

	// Env reads Temporal's own settings; nil means the process environment.
	Env envconfig.EnvLookup `kong:"-"`

	// malformed lists the variables that BeforeReset could not parse.
	malformed []string
}

// Help lists the checks and their limits.
func (Command) Help() string {
	return `Runs these checks in parallel with the settings of the workers and the webhook, in at most a minute:

  settings     the settings that no other check uses; KIE_BASE_URL is encrypted
  temporal     the server answers, the namespace exists
  attributes   the namespace has the search attributes; --fix creates them
  workers      a worker takes jobs from the task queue
  submissions  a worker takes submissions from the task queue for them
  key          kie.ai accepts the API key, the account has credit
  clock        this machine's clock agrees with kie.ai's; a signature is valid for 5 minutes
  callback     CALLBACK_BASE_URL reaches a webhook with the same secret, encrypted, without a redirect, in time
  signature    the webhook accepts callbacks signed with the HMAC key, and no others
  output       videos can be stored and read, the disk has free space
  work         partial downloads can be written, the disk has free space
  proxy        results can be downloaded through the proxy of HTTPS_PROXY, if there is one
  models       kie.ai's catalogue has the models of this build

Each line is ok, warn or fail, with the next step. The exit code is 1 if any check fails. doctor starts no job, submits nothing
and costs nothing: it posts callbacks for jobs that don't exist, whose ids begin with "lumaflow-doctor.". The results hold
for this machine: run it where the workers run, and with --only where the webhook runs.

` + command.TemporalHelp + `
` + command.SecretsHelp + `

Examples:
  lumaflow doctor
  lumaflow doctor --fix
  lumaflow doctor --only callback,signature,clock
  lumaflow doctor --json | jq '.checks[] | select(.status == "fail")'
  KIE_API_KEY=any KIE_BASE_URL=http://127.0.0.1:8090 lumaflow doctor    # with lumaflow simulate`
}

// report is what the command prints as JSON.
type report struct {
	// OK is true if no check failed.
	OK     bool      `json:"ok"`
	Checks []Finding `json:"checks"`
}

// Run runs the checks and prints a line for each. It fails if a check fails.
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
		return fmt.Errorf("check the setup: interrupted: %w", err)
	}
	if c.JSON {
		if err := command.WriteJSON(streams.Out, report{OK: len(failed) == 0, Checks: findings}); err != nil {
			return fmt.Errorf("print the findings: %w", err)
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("%d of %s failed: %s", len(failed), english.Plural(len(findings), "check", ""), strings.Join(failed, ", "))
	}
	return nil
}

func (f Finding) print(w io.Writer) {
	status := string(f.Status)
	if f.Status == Skipped {
		status = "-"
	}
	// A failed print of one line must not hide the result of the checks.
	_, _ = fmt.Fprintf(w, "%-4s  %-11s  %s\n", status, f.Check, f.Message)
}
