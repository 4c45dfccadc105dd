// Package dial creates Temporal clients for every command, with the settings of
// Temporal's own CLI (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TLS,
// profiles). A failure is one line with the next command. With CODEC_KEYS set, the
// clients encrypt all payloads.
package dial

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"google.golang.org/grpc"
)

const (
	// connectTimeout bounds the server's first answer, checkTimeout that and the
	// namespace check together.
	connectTimeout = 5 * time.Second
	checkTimeout   = 10 * time.Second
	// StartupWait is the Options.Wait of a long-running role: the processes of a
	// machine start in any order, and some supervisors give up after a few quick
	// exits.
	StartupWait = time.Minute
	// retryInterval is the pause between two attempts.
	retryInterval = time.Second
)

// Options are the settings of a client besides those of the environment and the
// profile, which alone select the server. The zero value works.
type Options struct {
	// Logger receives the SDK's log; nil discards it.
	Logger *slog.Logger
	// Identity names the client in histories and poller lists; empty means the
	// SDK's default, process id and host.
	Identity string
	// Env replaces the process environment; nil means that environment.
	Env envconfig.EnvLookup

	// Worker must be set for a client that runs workflows: a payload that it
	// cannot decrypt then fails the workflow task, which is retried until a worker
	// has the key, and not the workflow.
	Worker bool

	// Wait is how long Temporal retries while no server answers. Zero means one
	// attempt, for commands whose user waits for the answer.
	Wait time.Duration

	// Metrics and Interceptors are passed to the client; nil means the SDK's
	// defaults.
	Metrics      client.MetricsHandler
	Interceptors []interceptor.ClientInterceptor
}

// Identity returns the SDK's default identity of this process, its id and host.
func Identity() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%d@%s@", os.Getpid(), host)
}

// Temporal connects to Temporal and checks, within ten seconds plus Options.Wait,
// that the server answers and the namespace exists. Errors are one line with the
// next command; malformed settings are usage errors and are found before anything
// is dialled. The caller closes the client.
func Temporal(ctx context.Context, options Options) (client.Client, error) {
	target, err := load(options.Env)
	if err != nil {
		return nil, err
	}
	deadline := time.Now().Add(options.Wait)
	for attempt := 1; ; attempt++ {
		temporal, err := target.connect(ctx, options)
		if failed, ok := errors.AsType[*failure](err); !ok || !failed.unreachable || time.Now().Add(retryInterval).After(deadline) {
			return temporal, err
		}
		if attempt == 1 && options.Logger != nil {
			options.Logger.Warn("waiting for Temporal", "upTo", options.Wait.String(), "error", err)
		}
		select {
		case <-time.After(retryInterval):
		case <-ctx.Done():
			return nil, target.explain(ctx, err)
		}
	}
}

func (t target) connect(ctx context.Context, options Options) (client.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	temporal, err := client.DialContext(ctx, t.clientOptions(options))
	if err != nil {
		return nil, t.explain(ctx, err)
	}
	if err := t.check(ctx, temporal); err != nil {
		temporal.Close()
		return nil, err
	}
	return temporal, nil
}

// Reachable returns a check that the server of a client answers and has the
// namespace; its errors are those of Temporal. Env is the Options.Env of the
// client.
func Reachable(temporal client.Client, env envconfig.EnvLookup) (func(context.Context) error, error) {
	target, err := load(env)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error { return target.check(ctx, temporal) }, nil
}

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

func (t target) check(ctx context.Context, temporal client.Client) error {
	request := &workflowservice.DescribeNamespaceRequest{Namespace: t.settings.Namespace}
	if _, err := temporal.WorkflowService().DescribeNamespace(ctx, request); err != nil {
		return t.explain(ctx, err)
	}
	return nil
}

func (t target) clientOptions(options Options) client.Options {
	merged := t.options
	logger := options.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	merged.Logger = log.NewStructuredLogger(logger)
	merged.Identity = options.Identity
	merged.MetricsHandler = options.Metrics
	merged.Interceptors = options.Interceptors
	encryption := t.settings.Codec.Observe(Refusals(logger, options.Metrics))
	converters := encryption.ForClient()
	if options.Worker {
		converters = encryption.ForWorker()
	}
	merged.DataConverter, merged.FailureConverter = converters.Data, converters.Failures
	merged.ConnectionOptions.GetSystemInfoTimeout = connectTimeout
	// An appended interceptor runs after the SDK has set its headers.
	merged.ConnectionOptions.DialOptions = append(merged.ConnectionOptions.DialOptions,
		grpc.WithChainUnaryInterceptor(dropInvalidHeaders))
	return merged
}
