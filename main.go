// Command lumaflow turns paid, slow, unreliable AI video generation into files
// that are simply there. See README.md.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"lumaflow/internal/cli/audit"
	"lumaflow/internal/cli/demo"
	"lumaflow/internal/cli/doctor"
	"lumaflow/internal/cli/jobs"
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
	os.Exit(run(ctx, os.Args[1:], command.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
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
	Doctor      doctor.Command      `cmd:"" help:"Check the setup from end to end and say what to do."`
	Audit       audit.Command       `cmd:"" help:"Verify stored videos against their receipts, offline."`
	ReplayCheck replay.Command      `cmd:"" help:"Check before a deploy that this build can take over the open jobs."`
	CodecServer codecserver.Command `cmd:"" help:"Decrypt for Temporal's UI and CLI."`
	Simulate    simulate.Command    `cmd:"" help:"Run the simulated kie.ai alone."`
	Health      health.Command      `cmd:"" help:"Ask a running lumaflow how it is, for health checks."`

	Version kong.VersionFlag `help:"Print the version and exit."`
}

// run parses the arguments, runs the command they name and returns the exit
// code. Errors are one line on stderr.
func run(ctx context.Context, args []string, streams command.Streams) (code int) {
	exit := func(status int) { panic(exited(status)) }
	defer func() {
		// Kong leaves through its exit function after --help and --version.
		switch left := recover().(type) {
		case nil:
		case exited:
			code = int(left)
		default:
			panic(left)
		}
	}()
	parser, err := newParser(ctx, streams, exit)
	if err != nil {
		return complain(streams.Err, err, command.ExitUsage)
	}
	chosen, err := parser.Parse(args)
	if err != nil {
		return complain(streams.Err, err, command.ExitUsage)
	}
	if err := chosen.Run(); err != nil {
		return complain(streams.Err, err, command.ExitCode(err))
	}
	return command.ExitOK
}

// newParser builds the parser of the whole command line.
func newParser(ctx context.Context, streams command.Streams, exit func(int)) (*kong.Kong, error) {
	return kong.New(&commands{},
		kong.Name("lumaflow"),
		kong.Description("Turns kie.ai's Luma Modify Video tasks into verified files, on Temporal."),
		kong.Writers(streams.Out, streams.Err),
		kong.Exit(exit),
		kong.Vars{"version": command.Build()},
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(streams),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
}

type exited int

func complain(w io.Writer, err error, code int) int {
	fmt.Fprintf(w, "lumaflow: %v\n", err)
	return code
}
