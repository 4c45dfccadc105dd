// Command lumaflow turns paid, slow, unreliable AI video generation into files
// that are simply there. See README.md.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/alecthomas/kong"

	"lumaflow/internal/cli/audit"
	"lumaflow/internal/cli/demo"
	"lumaflow/internal/cli/doctor"
	"lumaflow/internal/cli/gallery"
	"lumaflow/internal/cli/jobs"
	"lumaflow/internal/cli/models"
	"lumaflow/internal/cli/replay"
	"lumaflow/internal/cli/simulate"
	"lumaflow/internal/command"
	"lumaflow/internal/command/health"
	_ "lumaflow/internal/store/bucket" // so that OUTPUT_URL may name one
	"lumaflow/internal/temporal/codecserver"
	"lumaflow/webhook"
	"lumaflow/worker"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second Ctrl-C ends the process at once.
	context.AfterFunc(ctx, stop)
	streams := command.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
	if err := run(ctx, os.Args[1:], streams); err != nil {
		_, _ = fmt.Fprintf(streams.Err, "lumaflow: %v\n", err)
		os.Exit(command.ExitCode(err))
	}
}

// commands is the whole command line; each command lives in its package.
type commands struct {
	Demo        demo.Command        `cmd:"" help:"Show everything on this machine: no account, no cost."`
	Worker      worker.Command      `cmd:"" help:"Run the workflows and activities."`
	Webhook     webhook.Command     `cmd:"" help:"Receive kie.ai's callbacks."`
	Submit      jobs.SubmitCommand  `cmd:"" help:"Start one job."`
	Status      jobs.StatusCommand  `cmd:"" help:"Show one job."`
	List        jobs.ListCommand    `cmd:"" help:"List jobs."`
	Wait        jobs.WaitCommand    `cmd:"" help:"Wait until jobs have ended."`
	Cancel      jobs.CancelCommand  `cmd:"" help:"Cancel a job."`
	Batch       jobs.BatchCommand   `cmd:"" help:"Run many jobs."`
	Rescue      jobs.RescueCommand  `cmd:"" help:"Collect tasks that any other tool submitted, free of charge."`
	Resolve     jobs.ResolveCommand `cmd:"" help:"Resolve a submission with an unknown outcome."`
	Models      models.Command      `cmd:"" help:"List the models that modify a video, with their limits."`
	Doctor      doctor.Command      `cmd:"" help:"Check the setup from end to end and name the next step."`
	Audit       audit.Command       `cmd:"" help:"Verify stored videos against their receipts, offline."`
	Gallery     gallery.Command     `cmd:"" help:"Show the stored videos in a browser, each beside its source."`
	ReplayCheck replay.Command      `cmd:"" help:"Check before a deploy that this build can take over the open jobs."`
	CodecServer codecserver.Command `cmd:"" help:"Decrypt for Temporal's UI and CLI."`
	Simulate    simulate.Command    `cmd:"" help:"Run the simulated kie.ai alone."`
	Health      health.Command      `cmd:"" help:"Request a health endpoint, for health checks."`

	Version kong.VersionFlag `help:"Print the version and exit."`
}

// BeforeReset is called by kong before it reads the environment.
func (*commands) BeforeReset(parsed *kong.Context) error {
	if slices.ContainsFunc(parsed.Path, func(part *kong.Path) bool { return part.Flag == parsed.Model.HelpFlag && part.Flag != nil }) {
		return nil
	}
	return command.ReadSecretFiles(parsed)
}

// run parses the arguments and runs the command that they name. After --help and
// --version kong exits the process.
func run(ctx context.Context, args []string, streams command.Streams) error {
	parser, err := newParser(ctx, streams)
	if err != nil {
		return command.Usagef("%w", err)
	}
	chosen, err := parser.Parse(args)
	if err != nil {
		return command.ParseError(err)
	}
	return chosen.Run()
}

// newParser builds the parser of the whole command line.
func newParser(ctx context.Context, streams command.Streams) (*kong.Kong, error) {
	return kong.New(&commands{},
		kong.Name("lumaflow"),
		kong.Description("Turns kie.ai's Luma Modify Video tasks into verified files, on Temporal."),
		kong.Writers(streams.Out, streams.Err),
		kong.Vars{"version": command.Build()},
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(streams),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
}
