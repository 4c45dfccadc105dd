// Command chaos runs a campaign of seeded fault injection against real processes
// of lumaflow:
//
//	go run ./test/chaos --help
//
// Package campaign describes what a seed does and what is verified.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"lumaflow/internal/command"
	"lumaflow/test/chaos/campaign"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second Ctrl-C ends the process at once.
	context.AfterFunc(ctx, stop)
	if err := run(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "chaos: %v\n", err)
		os.Exit(command.ExitCode(err))
	}
}

func run(ctx context.Context) error {
	var flags campaign.Command
	parser, err := kong.New(&flags, kong.Name("chaos"), kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		return err
	}
	if _, err := parser.Parse(os.Args[1:]); err != nil {
		return command.Usagef("%w", err)
	}
	return flags.Run(ctx, command.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
}
