// Package dial is the one factory for Temporal clients: every command reaches
// Temporal through it, with the same settings as Temporal's own CLI
// (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TLS, profiles), and
// reports in one plain line what is wrong if it can't. With CODEC_KEYS set, all
// that its clients store is encrypted.
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

	"lumaflow/internal/temporal/codec"
)

const (
	// reachTime is how long a server may take to answer at all, checkTime how
	// long that and the look at the namespace may take together.
	reachTime = 5 * time.Second
	checkTime = 10 * time.Second
	// RolePatience is the patience of a role that runs for long and is started
	// again when it ends: a machine's processes start in any order, and some of
	// what starts them gives up after a few quick failures.
	RolePatience = time.Minute
	// askAgain lies between two tries.
	askAgain = time.Second
)

// Options are what a command brings along. Where to dial is not among them: the
// environment and the profile say that. The zero value works.
type Options struct {
	// Logger takes the SDK's own log; nil discards it.
	Logger *slog.Logger
	// Identity is the name under which the client shows in histories and
	// pollers; empty means the SDK's default, process id and host.
	Identity string
	// Env looks up the variables; nil means the process environment.
	Env envconfig.EnvLookup

	// Worker is set by who runs workflows through the client. What such a
	// workflow can't decrypt then stops it until a worker has the key, and does
	// not fail it.
	Worker bool

	// Patience is how long a server that does not answer is asked again; the log
	// tells once. Zero is for people, who had better know at once.
	Patience time.Duration

	// Metrics and Interceptors are handed to the client as they are; nil means
	// the SDK's defaults.
	Metrics      client.MetricsHandler
	Interceptors []interceptor.ClientInterceptor
}

// Identity is the name of this process in histories and pollers: its id and its
// host, as the SDK would have it.
func Identity() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%d@%s@", os.Getpid(), host)
}

// Temporal connects to Temporal and checks, within ten seconds and the patience,
// that the server answers and that the namespace exists. Its errors are one plain
// line that says what to do next; those about malformed settings are usage errors
// and come before anything is dialled. The caller closes the client.
func Temporal(ctx context.Context, options Options) (client.Client, error) {
	target, err := load(options.Env)
	if err != nil {
		return nil, err
	}
	for giveUp, told := time.Now().Add(options.Patience), false; ; told = true {
		temporal, err := target.connect(ctx, options)
		var failed *failure
		if !errors.As(err, &failed) || !failed.away || time.Now().Add(askAgain).After(giveUp) {
			return temporal, err
		}
		if !told && options.Logger != nil {
			options.Logger.Warn("waiting for Temporal", "upTo", options.Patience.String(), "error", err)
		}
		select {
		case <-time.After(askAgain):
		case <-ctx.Done():
			return nil, target.explain(ctx, err)
		}
	}
}

func (t target) connect(ctx context.Context, options Options) (client.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	temporal, err := client.DialContext(ctx, t.clientOptions(options))
	if err != nil {
		return nil, t.explain(ctx, err)
	}
	if err := t.reach(ctx, temporal); err != nil {
		temporal.Close()
		return nil, err
	}
	return temporal, nil
}

// Reachable is the question whether Temporal still answers a client and has its
// namespace; its errors are those of Temporal. Env is what the client was dialled
// with.
func Reachable(temporal client.Client, env envconfig.EnvLookup) (func(context.Context) error, error) {
	target, err := load(env)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error { return target.reach(ctx, temporal) }, nil
}

func (t target) reach(ctx context.Context, temporal client.Client) error {
	request := &workflowservice.DescribeNamespaceRequest{Namespace: t.Namespace}
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
	if options.Worker {
		logger = slog.New(codec.Quiet(logger.Handler()))
	}
	merged.Logger = log.NewStructuredLogger(logger)
	merged.Identity = options.Identity
	merged.MetricsHandler = options.Metrics
	merged.Interceptors = options.Interceptors
	converters := t.Codec.ForClient()
	if options.Worker {
		converters = t.Codec.ForWorker()
	}
	merged.DataConverter, merged.FailureConverter = converters.Data, converters.Failures
	merged.ConnectionOptions.GetSystemInfoTimeout = reachTime
	// Appended, it runs after the SDK has set its headers.
	merged.ConnectionOptions.DialOptions = append(merged.ConnectionOptions.DialOptions,
		grpc.WithChainUnaryInterceptor(withoutUnsendable))
	return merged
}
