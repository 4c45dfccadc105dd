package dial

import (
	"context"
	"fmt"

	"go.temporal.io/sdk/client"
)

// QueryClient returns a client on the connection of a worker's client that
// inspects jobs and runs none: a payload that it cannot decrypt is an error and
// not a panic. Options are those of the worker's client. The caller closes both.
func QueryClient(ctx context.Context, worker client.Client, options Options) (client.Client, error) {
	target, err := load(options.Env)
	if err != nil {
		return nil, err
	}
	options.Worker = false
	query, err := client.NewClientFromExistingWithContext(ctx, worker, target.clientOptions(options))
	if err != nil {
		return nil, fmt.Errorf("create a client on the worker's connection: %w", err)
	}
	return query, nil
}
