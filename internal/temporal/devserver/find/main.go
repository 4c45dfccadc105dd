// Command find prints the path of Temporal's CLI. If there is none on this
// machine it builds one first, which takes minutes, once:
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
