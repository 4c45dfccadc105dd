package replay_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"google.golang.org/protobuf/proto"

	"lumaflow/worker/replay"
)

// oneJob is a Temporal service with one open job, whose first lists fail.
type oneJob struct {
	history  *historypb.History
	failures int

	mu      sync.Mutex
	queries []string
}

func (s *oneJob) ListWorkflow(_ context.Context, request *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queries = append(s.queries, request.GetQuery())
	if len(s.queries) <= s.failures {
		return nil, errors.New("busy")
	}
	return &workflowservice.ListWorkflowExecutionsResponse{Executions: []*workflowpb.WorkflowExecutionInfo{
		{Execution: &commonpb.WorkflowExecution{WorkflowId: "shot-7", RunId: "run"}},
	}}, nil
}

func (s *oneJob) GetWorkflowHistory(context.Context, string, string, bool, enumspb.HistoryEventFilterType) client.HistoryEventIterator {
	// A replay decodes its history in place.
	return &iterator{proto.CloneOf(s.history).GetEvents()}
}

type iterator struct{ events []*historypb.HistoryEvent }

func (i *iterator) HasNext() bool { return len(i.events) > 0 }

func (i *iterator) Next() (next *historypb.HistoryEvent, _ error) {
	next, i.events = i.events[0], i.events[1:]
	return next, nil
}

func TestGate(t *testing.T) {
	run := func(service *oneJob, options replay.Options, input ...any) (replay.Tally, error) {
		env := (&testsuite.WorkflowTestSuite{}).NewTestWorkflowEnvironment()
		replay.Gate{Temporal: service, TaskQueue: "studio", Options: options}.Register(env)
		env.ExecuteWorkflow(replay.GateName, input...)
		require.True(t, env.IsWorkflowCompleted())
		var counts replay.Tally
		if err := env.GetWorkflowError(); err != nil {
			return counts, err
		}
		return counts, env.GetWorkflowResult(&counts)
	}
	t.Run("a build that can take over", func(t *testing.T) {
		service := &oneJob{history: recorded(t, "refused")}
		counts, err := run(service, replay.Options{})
		require.NoError(t, err)
		require.Equal(t, replay.Tally{Open: 1, Closed: 1}, counts)
		require.Contains(t, service.queries[0], "TaskQueue = 'studio'")
	})
	t.Run("open jobs alone", func(t *testing.T) {
		none := 0
		service := &oneJob{history: recorded(t, "refused")}
		counts, err := run(service, replay.Options{}, replay.GateInput{Closed: &none})
		require.NoError(t, err)
		require.Equal(t, replay.Tally{Open: 1}, counts)
		require.Len(t, service.queries, 1)
	})
	t.Run("a job that would break", func(t *testing.T) {
		service := &oneJob{history: recorded(t, "refused")}
		_, err := run(service, coded(other))
		failure, ok := errors.AsType[*temporal.ApplicationError](err)
		require.True(t, ok, err)
		require.Equal(t, replay.FailureBreaks, failure.Type())
		require.True(t, failure.NonRetryable())
		var broken replay.BreakError
		require.NoError(t, failure.Details(&broken))
		require.Equal(t, "shot-7", broken.WorkflowID)
		require.Equal(t, "its history has ActivityTaskScheduled Submit where this build does ScheduleActivityTask Other", broken.Reason)
		require.LessOrEqual(t, len(service.queries), 2, "it is not tried again")
	})
	t.Run("an incomplete check is tried again", func(t *testing.T) {
		service := &oneJob{history: recorded(t, "refused"), failures: 2}
		_, err := run(service, replay.Options{})
		require.NoError(t, err)
		require.Len(t, service.queries, 4)
	})
	t.Run("an input out of range", func(t *testing.T) {
		negative := -1
		service := &oneJob{}
		_, err := run(service, replay.Options{}, replay.GateInput{Closed: &negative})
		require.ErrorContains(t, err, "closed is -1: give 0 to 1000000")
		require.Empty(t, service.queries)
	})
}
