package dial

import (
	"context"
	"fmt"

	"go.temporal.io/sdk/client"
)

// Onlooker is a client over the connection of a worker's, for looking at jobs
// and not for running them: what it can't decrypt is an error and stops nobody.
// Options are those of the worker's client. The caller closes both.
func Onlooker(ctx context.Context, temporal client.Client, options Options) (client.Client, error) {
	target, err := load(options.Env)
	if err != nil {
		return nil, err
	}
	options.Worker = false
	onlooker, err := client.NewClientFromExistingWithContext(ctx, temporal, target.clientOptions(options))
	if err != nil {
		return nil, fmt.Errorf("make a client that looks at jobs: %w", err)
	}
	return onlooker, nil
}
