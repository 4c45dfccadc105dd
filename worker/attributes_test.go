package worker_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"

	"lumaflow/worker"
	"lumaflow/workflows"
)

// namespace is a client of which nothing but the search attributes is asked.
type namespace struct {
	client.Client
	operatorservice.OperatorServiceClient
	has   map[string]enumspb.IndexedValueType
	err   error
	asked int
}

func (n *namespace) OperatorService() operatorservice.OperatorServiceClient { return n }

func (n *namespace) ListSearchAttributes(context.Context, *operatorservice.ListSearchAttributesRequest, ...grpc.CallOption) (*operatorservice.ListSearchAttributesResponse, error) {
	n.asked++
	return &operatorservice.ListSearchAttributesResponse{CustomAttributes: n.has}, n.err
}

func both(kind enumspb.IndexedValueType) map[string]enumspb.IndexedValueType {
	return map[string]enumspb.IndexedValueType{workflows.StageAttribute: kind, workflows.TaskIDAttribute: kind}
}

func TestSearchAttributesAreAskedAbout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &namespace{err: serviceerror.NewUnavailable("away")}
		log := &logBuffer{}
		probe := worker.NewAttributeProbe(n, "default", slog.New(slog.NewTextHandler(log, nil)))
		ask := func(after time.Duration, want bool, asked int) {
			t.Helper()
			time.Sleep(after)
			require.Equal(t, want, probe.Available(t.Context()))
			require.Equal(t, asked, n.asked)
		}
		ask(0, false, 1)
		ask(time.Second, false, 1)
		ask(10*time.Second, false, 2)
		said := log.take()
		require.Equal(t, 1, strings.Count(said, "\n"), "it complains once: %s", said)
		require.Contains(t, said, "level=WARN msg=\"Temporal does not tell which search attributes the namespace has")
		require.Contains(t, said, "namespace=default error=away")
		n.has, n.err = both(enumspb.INDEXED_VALUE_TYPE_KEYWORD), nil
		ask(5*time.Second, true, 3) // soon, since there was no answer
		ask(50*time.Second, true, 3)
		n.err = serviceerror.NewUnavailable("away again")
		ask(20*time.Second, true, 4) // the last answer holds
		require.Empty(t, log.take())
		n.has, n.err = both(enumspb.INDEXED_VALUE_TYPE_TEXT), nil
		ask(10*time.Second, false, 5) // of another type they would block jobs
		n.has = map[string]enumspb.IndexedValueType{workflows.StageAttribute: enumspb.INDEXED_VALUE_TYPE_KEYWORD}
		ask(time.Minute, false, 6)
	})
}
