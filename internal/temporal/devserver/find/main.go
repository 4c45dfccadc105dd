// Command find prints the path of Temporal's CLI and builds it first if the machine
// has none, which takes minutes:
//
//	"$(go run ./internal/temporal/devserver/find)" workflow list
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"lumaflow/internal/temporal/devserver"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	path, err := devserver.Find(ctx, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "find:", err)
		os.Exit(1)
	}
	fmt.Println(path)
}
