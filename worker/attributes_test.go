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

// namespace is a client that only lists search attributes.
type namespace struct {
	client.Client
	operatorservice.OperatorServiceClient
	attributes map[string]enumspb.IndexedValueType
	err        error
	requests   int
}

func (n *namespace) OperatorService() operatorservice.OperatorServiceClient { return n }

func (n *namespace) ListSearchAttributes(context.Context, *operatorservice.ListSearchAttributesRequest, ...grpc.CallOption) (*operatorservice.ListSearchAttributesResponse, error) {
	n.requests++
	return &operatorservice.ListSearchAttributesResponse{CustomAttributes: n.attributes}, n.err
}

func bothOfType(valueType enumspb.IndexedValueType) map[string]enumspb.IndexedValueType {
	return map[string]enumspb.IndexedValueType{workflows.StageAttribute: valueType, workflows.TaskIDAttribute: valueType}
}

func TestSearchAttributesAreCached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &namespace{err: serviceerror.NewUnavailable("unavailable")}
		log := &logBuffer{}
		available := worker.SearchAttributes(n, "default", slog.New(slog.NewTextHandler(log, nil)))
		requireAvailable := func(after time.Duration, want bool, requests int) {
			t.Helper()
			time.Sleep(after)
			require.Equal(t, want, available(t.Context()))
			require.Equal(t, requests, n.requests)
		}
		requireAvailable(0, false, 1)
		requireAvailable(time.Second, false, 1)
		requireAvailable(10*time.Second, false, 2)
		lines := log.take()
		require.Equal(t, 1, strings.Count(lines, "\n"), "one warning for all failures in a row: %s", lines)
		require.Contains(t, lines, "level=WARN msg=\"Temporal does not list the search attributes of the namespace")
		require.Contains(t, lines, "namespace=default error=unavailable")
		n.attributes, n.err = bothOfType(enumspb.INDEXED_VALUE_TYPE_KEYWORD), nil
		requireAvailable(5*time.Second, true, 3) // soon after a failure
		requireAvailable(50*time.Second, true, 3)
		n.err = serviceerror.NewUnavailable("unavailable again")
		requireAvailable(20*time.Second, true, 4) // the last answer is kept
		require.Empty(t, log.take())
		n.attributes, n.err = bothOfType(enumspb.INDEXED_VALUE_TYPE_TEXT), nil
		requireAvailable(10*time.Second, false, 5) // of another type they would block workflow tasks
		n.attributes = map[string]enumspb.IndexedValueType{workflows.StageAttribute: enumspb.INDEXED_VALUE_TYPE_KEYWORD}
		requireAvailable(time.Minute, false, 6)
	})
}
