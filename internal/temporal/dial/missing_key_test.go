package dial_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/types/known/durationpb"

	"lumaflow/internal/temporal/dial"
)

// taskServer serves one workflow task and records the worker's answer.
type taskServer struct {
	frontend
	task      *workflowservice.PollWorkflowTaskQueueResponse
	once      sync.Once
	failed    chan *workflowservice.RespondWorkflowTaskFailedRequest
	completed chan *workflowservice.RespondWorkflowTaskCompletedRequest
}

func (s *taskServer) PollWorkflowTaskQueue(ctx context.Context, _ *workflowservice.PollWorkflowTaskQueueRequest) (*workflowservice.PollWorkflowTaskQueueResponse, error) {
	task := &workflowservice.PollWorkflowTaskQueueResponse{}
	s.once.Do(func() { task = s.task })
	if task != s.task {
		<-ctx.Done()
	}
	return task, nil
}

func (s *taskServer) RespondWorkflowTaskFailed(_ context.Context, request *workflowservice.RespondWorkflowTaskFailedRequest) (*workflowservice.RespondWorkflowTaskFailedResponse, error) {
	s.failed <- request
	return &workflowservice.RespondWorkflowTaskFailedResponse{}, nil
}

func (s *taskServer) RespondWorkflowTaskCompleted(_ context.Context, request *workflowservice.RespondWorkflowTaskCompletedRequest) (*workflowservice.RespondWorkflowTaskCompletedResponse, error) {
	s.completed <- request
	return &workflowservice.RespondWorkflowTaskCompletedResponse{}, nil
}

// lockedBuffer is a log for several goroutines.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(line)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// firstTask is the first workflow task of a run, with the given events after its
// start. Each run has its own id, because all workers of a process share the SDK's
// cache of runs.
func firstTask(input *commonpb.Payloads, signals ...*commonpb.Payloads) *workflowservice.PollWorkflowTaskQueueResponse {
	run := rand.Text()
	events := []*historypb.HistoryEvent{{
		EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
		Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{
			WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{
				WorkflowType: &commonpb.WorkflowType{Name: "Echo"}, Input: input, TaskQueue: &taskqueuepb.TaskQueue{Name: "q"},
				FirstExecutionRunId: run, OriginalExecutionRunId: run, WorkflowTaskTimeout: durationpb.New(10e9),
			},
		},
	}}
	for _, signal := range signals {
		events = append(events, &historypb.HistoryEvent{
			EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
			Attributes: &historypb.HistoryEvent_WorkflowExecutionSignaledEventAttributes{
				WorkflowExecutionSignaledEventAttributes: &historypb.WorkflowExecutionSignaledEventAttributes{SignalName: "callback", Input: signal},
			},
		})
	}
	events = append(events,
		&historypb.HistoryEvent{
			EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
			Attributes: &historypb.HistoryEvent_WorkflowTaskScheduledEventAttributes{
				WorkflowTaskScheduledEventAttributes: &historypb.WorkflowTaskScheduledEventAttributes{TaskQueue: &taskqueuepb.TaskQueue{Name: "q"}, Attempt: 1},
			},
		},
		&historypb.HistoryEvent{
			EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED,
			Attributes: &historypb.HistoryEvent_WorkflowTaskStartedEventAttributes{
				WorkflowTaskStartedEventAttributes: &historypb.WorkflowTaskStartedEventAttributes{ScheduledEventId: int64(len(events) + 1)},
			},
		})
	for i, event := range events {
		event.EventId = int64(i + 1)
	}
	return &workflowservice.PollWorkflowTaskQueueResponse{
		TaskToken: []byte("token"), Attempt: 1, StartedEventId: int64(len(events)), History: &historypb.History{Events: events},
		WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: "luma-1", RunId: run},
		WorkflowType:      &commonpb.WorkflowType{Name: "Echo"},
	}
}

// A worker without the key of an input or a signal fails the workflow task, not
// the workflow, logs the refusal, and logs one line that names the key.
func TestWorkerWithoutTheKey(t *testing.T) {
	t.Parallel()
	settings, err := dial.Load(env{"CODEC_KEYS": "main:" + codecKey})
	require.NoError(t, err)
	encrypted, err := settings.Codec.ForClient().Data.ToPayloads("snow")
	require.NoError(t, err)
	settings, err = dial.Load(env{"CODEC_KEYS": "other:" + otherKey})
	require.NoError(t, err)
	readable, err := settings.Codec.ForClient().Data.ToPayloads("snow")
	require.NoError(t, err)
	for name, task := range map[string]*workflowservice.PollWorkflowTaskQueueResponse{
		"input":  firstTask(encrypted),
		"signal": firstTask(readable, encrypted),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &taskServer{
				frontend: frontend{namespaces: []string{"default"}}, task: task,
				failed:    make(chan *workflowservice.RespondWorkflowTaskFailedRequest, 1),
				completed: make(chan *workflowservice.RespondWorkflowTaskCompletedRequest, 1),
			}
			log := &lockedBuffer{}
			client, err := dial.Temporal(t.Context(), dial.Options{
				Env: env{"TEMPORAL_ADDRESS": serve(t, "127.0.0.1:0", server), "CODEC_KEYS": "other:" + otherKey}, Worker: true,
				Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn})),
			})
			require.NoError(t, err)
			defer client.Close()
			w := worker.New(client, "q", worker.Options{LocalActivityWorkerOnly: true, DisableEagerActivities: true})
			w.RegisterWorkflowWithOptions(func(ctx workflow.Context, text string) (string, error) {
				workflow.GetSignalChannel(ctx, "callback").Receive(ctx, &text)
				return text, nil
			}, workflow.RegisterOptions{Name: "Echo"})
			require.NoError(t, w.Start())
			var failed *workflowservice.RespondWorkflowTaskFailedRequest
			select {
			case failed = <-server.failed:
			case completed := <-server.completed:
				t.Errorf("the workflow task is completed: %v", completed)
			}
			// The SDK logs before it responds; while it stops it may log a poll that it ends.
			logged := log.String()
			w.Stop()

			const want = `the job waits for a worker that can read it: encrypted with codec key "main", which CODEC_KEYS does not hold: add that key`
			assert.Equal(t, want, failed.GetFailure().GetMessage(), "readable without a key")
			lines := strings.Split(strings.TrimSpace(logged), "\n")
			require.Len(t, lines, 2)
			assert.Contains(t, lines[0], `msg="payload refused" reason=unknown-key job=luma-1 namespace=default`)
			assert.Contains(t, strings.ReplaceAll(lines[1], `\`, ""), want)
			assert.Contains(t, lines[1], `msg="Failed to process workflow task."`)
			assert.NotContains(t, lines[1], "StackTrace")
		})
	}
}
