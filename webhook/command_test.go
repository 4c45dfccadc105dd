package webhook_test

import (
	"context"
	"encoding/base64"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/grpc"

	"lumaflow/internal/command"
	"lumaflow/internal/paid"
	"lumaflow/internal/paid/runs"
	"lumaflow/internal/temporal/codec"
	"lumaflow/internal/temporal/dial"
	"lumaflow/webhook"
	"lumaflow/workflows/signals"
)

// frontend is the part of a Temporal server that the webhook calls.
type frontend struct {
	workflowservice.UnimplementedWorkflowServiceServer
	signals chan *workflowservice.SignalWorkflowExecutionRequest
	// timeout is the time left to the call of the last signal.
	timeout atomic.Int64
	// ended are the jobs that are over, by their id; started are the requests for
	// further ones.
	ended   map[string]*workflowpb.WorkflowExecutionInfo
	started chan *workflowservice.StartWorkflowExecutionRequest
}

func (*frontend) GetSystemInfo(context.Context, *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	return &workflowservice.GetSystemInfoResponse{}, nil
}

func (*frontend) DescribeNamespace(context.Context, *workflowservice.DescribeNamespaceRequest) (*workflowservice.DescribeNamespaceResponse, error) {
	return &workflowservice.DescribeNamespaceResponse{}, nil
}

func (f *frontend) SignalWorkflowExecution(ctx context.Context, request *workflowservice.SignalWorkflowExecutionRequest) (*workflowservice.SignalWorkflowExecutionResponse, error) {
	if id := request.GetWorkflowExecution().GetWorkflowId(); f.ended[id] != nil || id == "deleted" {
		return nil, serviceerror.ToStatus(serviceerror.NewNotFound("workflow execution already completed")).Err()
	}
	deadline, _ := ctx.Deadline()
	f.timeout.Store(int64(time.Until(deadline)))
	f.signals <- request
	return &workflowservice.SignalWorkflowExecutionResponse{}, nil
}

func (f *frontend) DescribeWorkflowExecution(_ context.Context, request *workflowservice.DescribeWorkflowExecutionRequest) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	info := f.ended[request.GetExecution().GetWorkflowId()]
	if info == nil {
		return nil, serviceerror.ToStatus(serviceerror.NewNotFound("workflow not found")).Err()
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: info}, nil
}

func (*frontend) GetWorkflowExecutionHistory(context.Context, *workflowservice.GetWorkflowExecutionHistoryRequest) (*workflowservice.GetWorkflowExecutionHistoryResponse, error) {
	return &workflowservice.GetWorkflowExecutionHistoryResponse{History: &historypb.History{Events: []*historypb.HistoryEvent{{EventId: 1}}}}, nil
}

func (*frontend) ListWorkflowExecutions(context.Context, *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	return &workflowservice.ListWorkflowExecutionsResponse{}, nil
}

func (f *frontend) StartWorkflowExecution(_ context.Context, request *workflowservice.StartWorkflowExecutionRequest) (*workflowservice.StartWorkflowExecutionResponse, error) {
	f.started <- request
	return &workflowservice.StartWorkflowExecutionResponse{RunId: "run"}, nil
}

func (*frontend) TerminateWorkflowExecution(context.Context, *workflowservice.TerminateWorkflowExecutionRequest) (*workflowservice.TerminateWorkflowExecutionResponse, error) {
	return &workflowservice.TerminateWorkflowExecutionResponse{}, nil
}

// startTemporal starts a frontend and points the environment to it.
func startTemporal(t *testing.T) *frontend {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	f := &frontend{
		signals: make(chan *workflowservice.SignalWorkflowExecutionRequest, 10),
		ended:   map[string]*workflowpb.WorkflowExecutionInfo{},
		started: make(chan *workflowservice.StartWorkflowExecutionRequest, 10),
	}
	server := grpc.NewServer()
	workflowservice.RegisterWorkflowServiceServer(server, f)
	stopped := make(chan error, 1)
	go func() { stopped <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		assert.NoError(t, <-stopped)
	})
	cleanEnvironment(t)
	t.Setenv("TEMPORAL_ADDRESS", listener.Addr().String())
	t.Setenv("TEMPORAL_NAMESPACE", namespace)
	return f
}

func cleanEnvironment(t *testing.T) {
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		for _, prefix := range []string{"TEMPORAL_", "CALLBACK_", "WEBHOOK_", "KIE_", "LOG_", "CODEC_", "TASK_"} {
			if strings.HasPrefix(name, prefix) {
				t.Setenv(name, "") // Restores it when the test ends.
				require.NoError(t, os.Unsetenv(name))
			}
		}
	}
	t.Setenv("TEMPORAL_CONFIG_FILE", os.DevNull)
}

// parse reads a command line like main.
func parse(t *testing.T, out *output, args ...string) (*webhook.Command, error) {
	t.Helper()
	var line struct {
		Webhook webhook.Command `cmd:""`
	}
	parser, err := kong.New(&line, kong.Writers(out, out), kong.Exit(func(int) { panic("exit") }))
	require.NoError(t, err)
	_, err = parser.Parse(append([]string{"webhook"}, args...))
	return &line.Webhook, err
}

var listening = regexp.MustCompile(`msg="webhook listening" address=(127\.0\.0\.1:\d+)`)

// startCommand runs the webhook until stop and returns once it listens on address.
// ended receives the error of Run.
func startCommand(t *testing.T, args ...string) (address string, log *output, stop func(), ended chan error) {
	t.Helper()
	log = new(output)
	cmd, err := parse(t, log, args...)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	ended = make(chan error, 1)
	go func() { ended <- cmd.Run(ctx, command.Streams{Out: log, Err: log}) }()
	require.Eventually(t, func() bool { return listening.MatchString(log.String()) }, waitFor, tick)
	return listening.FindStringSubmatch(log.String())[1], log, stop, ended
}

func TestCommand(t *testing.T) {
	server := startTemporal(t)
	t.Setenv("CALLBACK_SECRET", secret)
	t.Setenv("WEBHOOK_LISTEN", "127.0.0.1:0")
	address, log, stop, ended := startCommand(t)

	f := newFixture(t)
	for _, job := range []string{"luma-1/ü", "deleted"} {
		postTo(t, address, f.path(job))
	}
	stop()
	require.NoError(t, <-ended)

	require.Len(t, server.signals, 1)
	signal := <-server.signals
	assert.Equal(t, namespace, signal.GetNamespace())
	assert.Equal(t, "luma-1/ü", signal.GetWorkflowExecution().GetWorkflowId())
	assert.Empty(t, signal.GetWorkflowExecution().GetRunId(), "the signal must reach a retried run too")
	assert.Equal(t, "callback", signal.GetSignalName())
	var cb signals.CallbackPayload
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(signal.GetInput(), &cb))
	assert.Equal(t, "t", cb.TaskID)

	assert.Greater(t, time.Duration(server.timeout.Load()), 8*time.Second, "timeout of the signal")

	assert.Contains(t, log.String(), `reason="job is over: collecting"`)
	assert.NotContains(t, log.String(), secret)
	assert.NotContains(t, log.String(), f.token("deleted"))
}

// postTo delivers a callback for task t to a running webhook.
func postTo(t *testing.T, address, path string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+path, strings.NewReader(success("t")))
	require.NoError(t, err)
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	requireAnswer(t, response, 200, "received")
	require.NoError(t, response.Body.Close())
}

// The collecting job of a deleted job is on TASK_QUEUE, that of another one on the
// queue of the job. Input and memo are encrypted.
func TestCommandCollects(t *testing.T) {
	for _, test := range []struct {
		job, queue string
		status     enumspb.WorkflowExecutionStatus
		delayed    bool
	}{
		{job: "deleted", queue: "studio-a"},
		{job: "failed", queue: "studio-b", status: enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT},
		{job: "terminated", queue: "studio-b", status: enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, delayed: true},
	} {
		t.Run(test.job, func(t *testing.T) {
			server := startTemporal(t)
			t.Setenv("CALLBACK_SECRET", secret)
			t.Setenv("WEBHOOK_LISTEN", "127.0.0.1:0")
			t.Setenv("TASK_QUEUE", "studio-a")
			t.Setenv(codec.Variable, "k:"+base64.StdEncoding.EncodeToString([]byte(secret)))
			settings, err := dial.Load(nil)
			require.NoError(t, err)
			data := settings.Codec.ForClient().Data
			if test.status != 0 {
				memo, err := data.ToPayload(paid.Facts{TaskID: "another", PaidOpen: true})
				require.NoError(t, err)
				server.ended[test.job] = &workflowpb.WorkflowExecutionInfo{
					Execution: &commonpb.WorkflowExecution{WorkflowId: test.job, RunId: "first"},
					Type:      &commonpb.WorkflowType{Name: "ModifyVideo"}, Status: test.status, TaskQueue: test.queue,
					SearchAttributes: &commonpb.SearchAttributes{},
					Memo:             &commonpb.Memo{Fields: map[string]*commonpb.Payload{paid.MemoKey: memo}},
				}
			}
			address, _, stop, ended := startCommand(t)
			f := newFixture(t)
			postTo(t, address, f.path(test.job))
			stop()
			require.NoError(t, <-ended)

			require.Len(t, server.started, 1)
			started := <-server.started
			assert.Equal(t, runs.CollectorID("t"), started.GetWorkflowId())
			assert.Equal(t, test.queue, started.GetTaskQueue().GetName())
			assert.Equal(t, test.delayed, started.GetWorkflowStartDelay().AsDuration() > 0)
			assert.NotContains(t, string(started.GetInput().GetPayloads()[0].GetData()), "taskId", "the input is encrypted")
			var input struct{ TaskID string }
			require.NoError(t, data.FromPayloads(started.GetInput(), &input))
			assert.Equal(t, "t", input.TaskID)
			if test.delayed {
				assert.NotContains(t, string(started.GetMemo().GetFields()[paid.MemoKey].GetData()), "taskId", "the memo is encrypted")
				facts, ok := paid.FromMemo(started.GetMemo(), data)
				require.True(t, ok)
				assert.Equal(t, "t", facts.TaskID)
			}
		})
	}
}

func TestCommandRejectsSettings(t *testing.T) {
	cleanEnvironment(t)
	t.Setenv("TEMPORAL_ADDRESS", "127.0.0.1:1") // Nothing listens there.
	const hunter2 = "hunter2"
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"no secret", nil, "CALLBACK_SECRET is not set; make one with: openssl rand -base64 48"},
		{"short secret", []string{"--callback-secret", hunter2}, "CALLBACK_SECRET: secret 1 of 1 has 7 bytes"},
		{"empty key", []string{"--callback-secret", secret, "--kie-webhook-hmac-key", hunter2 + ","}, "KIE_WEBHOOK_HMAC_KEY"},
		{"empty task queue", []string{"--callback-secret", secret, "--task-queue", ""}, "TASK_QUEUE is empty"},
		{"no port", []string{"--callback-secret", secret, "--webhook-listen", "localhost"}, `WEBHOOK_LISTEN is "localhost"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cmd, err := parse(t, new(output), test.args...)
			require.NoError(t, err)
			err = cmd.Run(t.Context(), command.Streams{Out: new(output), Err: new(output)})
			require.ErrorContains(t, err, test.want)
			assert.Equal(t, command.ExitUsage, command.ExitCode(err))
			assert.NotContains(t, err.Error(), hunter2)
			assert.NotContains(t, err.Error(), secret)
			assert.NotContains(t, err.Error(), "\n")
		})
	}
	t.Run("malformed Temporal settings", func(t *testing.T) {
		t.Setenv("TEMPORAL_ADDRESS", "http://localhost:7233")
		cmd, err := parse(t, new(output), "--callback-secret", secret)
		require.NoError(t, err)
		err = cmd.Run(t.Context(), command.Streams{Err: new(output)})
		require.ErrorContains(t, err, "TEMPORAL_ADDRESS")
		assert.Equal(t, command.ExitUsage, command.ExitCode(err))
	})
}

func TestCommandFailures(t *testing.T) {
	cleanEnvironment(t)
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	t.Setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
	tests := []struct{ name, listen, want string }{
		{"port taken", taken.Addr().String(), taken.Addr().String() + " is taken by another program: stop that or set WEBHOOK_LISTEN"},
		{"not our address", "192.0.2.1:8080", "WEBHOOK_LISTEN"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cmd, err := parse(t, new(output), "--callback-secret", secret, "--webhook-listen", test.listen)
			require.NoError(t, err)
			err = cmd.Run(t.Context(), command.Streams{Out: new(output), Err: new(output)})
			require.ErrorContains(t, err, test.want)
			assert.Equal(t, command.ExitFailed, command.ExitCode(err))
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

// Processes of a machine start in any order.
func TestCommandWaitsForTemporal(t *testing.T) {
	cleanEnvironment(t)
	t.Setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
	log := new(output)
	cmd, err := parse(t, log, "--callback-secret", secret, "--webhook-listen", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Run(ctx, command.Streams{Out: log, Err: log}) }()
	require.Eventually(t, func() bool {
		return strings.Contains(log.String(), `msg="waiting for Temporal" upTo=1m0s error="no Temporal server answers at 127.0.0.1:1: start one`)
	}, waitFor, tick)
	stop()
	require.ErrorIs(t, <-ended, context.Canceled)
}

func TestHelpShowsNoSecret(t *testing.T) {
	cleanEnvironment(t)
	t.Setenv("CALLBACK_SECRET", secret)
	t.Setenv("KIE_WEBHOOK_HMAC_KEY", hmacKey)
	help := new(output)
	assert.PanicsWithValue(t, "exit", func() { _, _ = parse(t, help, "--help") })
	for _, want := range []string{"$CALLBACK_SECRET", "$KIE_WEBHOOK_HMAC_KEY", "$WEBHOOK_LISTEN", ":8080", "$LOG_LEVEL", "Examples:"} {
		assert.Contains(t, help.String(), want)
	}
	assert.NotContains(t, help.String(), secret)
	assert.NotContains(t, help.String(), hmacKey)

	_, err := parse(t, help, "--log-format", "xml")
	require.Error(t, err)
	assert.NotContains(t, err.Error(), secret)
}
