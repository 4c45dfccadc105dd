package doctor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	deploymentpb "go.temporal.io/api/deployment/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"lumaflow/internal/callback"
	"lumaflow/internal/cli/doctor"
	"lumaflow/internal/command"
	"lumaflow/internal/kie"
	"lumaflow/internal/kie/kietest"
	"lumaflow/internal/paid"
	"lumaflow/webhook"
	"lumaflow/worker"
	"lumaflow/workflows"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	apiKey    = "api-key-0f1e2d3c4b5a"
	secret    = "a callback secret of more than thirty-two bytes"
	hmacKey   = "an-hmac-key-of-kie"
	namespace = "studio"
	queue     = "videos"
)

// temporal is a fake Temporal server with the calls of the doctor.
type temporal struct {
	workflowservice.UnimplementedWorkflowServiceServer
	operatorservice.UnimplementedOperatorServiceServer

	mu         sync.Mutex
	attributes map[string]enumspb.IndexedValueType
	listing    error
	adding     error
	added      []string
	// queues holds the pollers by queue and kind.
	queues     map[string]*workflowservice.DescribeTaskQueueResponse
	describing error
	// models are the models of the jobs; nil means that no list is available.
	models []string
}

func (f *temporal) ListWorkflowExecutions(_ context.Context, request *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.models == nil || request.GetNamespace() != namespace {
		return nil, serviceerror.ToStatus(serviceerror.NewPermissionDenied("no lists", "")).Err()
	}
	answer := &workflowservice.ListWorkflowExecutionsResponse{}
	for _, model := range f.models {
		facts, err := converter.GetDefaultDataConverter().ToPayload(paid.Facts{TaskID: "t", Model: model, PaidOpen: true})
		if err != nil {
			return nil, err
		}
		answer.Executions = append(answer.Executions, &workflowpb.WorkflowExecutionInfo{
			Execution: &commonpb.WorkflowExecution{WorkflowId: "job"}, Memo: &commonpb.Memo{Fields: map[string]*commonpb.Payload{paid.MemoKey: facts}},
		})
	}
	return answer, nil
}

func (*temporal) GetSystemInfo(context.Context, *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	return &workflowservice.GetSystemInfoResponse{}, nil
}

func (*temporal) DescribeNamespace(_ context.Context, request *workflowservice.DescribeNamespaceRequest) (*workflowservice.DescribeNamespaceResponse, error) {
	if request.GetNamespace() != namespace {
		return nil, serviceerror.ToStatus(serviceerror.NewNamespaceNotFound(request.GetNamespace())).Err()
	}
	return &workflowservice.DescribeNamespaceResponse{}, nil
}

func (f *temporal) ListSearchAttributes(_ context.Context, request *operatorservice.ListSearchAttributesRequest) (*operatorservice.ListSearchAttributesResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if request.GetNamespace() != namespace {
		return nil, serviceerror.ToStatus(serviceerror.NewInvalidArgument("another namespace")).Err()
	}
	return &operatorservice.ListSearchAttributesResponse{CustomAttributes: maps.Clone(f.attributes)}, serviceerror.ToStatus(f.listing).Err()
}

func (f *temporal) AddSearchAttributes(_ context.Context, request *operatorservice.AddSearchAttributesRequest) (*operatorservice.AddSearchAttributesResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.adding != nil {
		return nil, serviceerror.ToStatus(f.adding).Err()
	}
	maps.Copy(f.attributes, request.GetSearchAttributes())
	f.added = append(f.added, slices.Sorted(maps.Keys(request.GetSearchAttributes()))...)
	return &operatorservice.AddSearchAttributesResponse{}, nil
}

func (f *temporal) DescribeTaskQueue(_ context.Context, request *workflowservice.DescribeTaskQueueRequest) (*workflowservice.DescribeTaskQueueResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.describing != nil || request.GetNamespace() != namespace {
		return nil, serviceerror.ToStatus(f.describing).Err()
	}
	if answer := f.queues[kind(request.GetTaskQueue().GetName(), request.GetTaskQueueType())]; answer != nil {
		return answer, nil
	}
	return &workflowservice.DescribeTaskQueueResponse{}, nil
}

func kind(queue string, kind enumspb.TaskQueueType) string { return queue + " " + kind.String() }

// The three kinds of tasks that workers poll for.
var (
	jobs        = kind(queue, enumspb.TASK_QUEUE_TYPE_WORKFLOW)
	others      = kind(queue, enumspb.TASK_QUEUE_TYPE_ACTIVITY)
	submissions = kind(queue+"-submit", enumspb.TASK_QUEUE_TYPE_ACTIVITY)
)

// polled is a task queue with one poller for each time since its last poll.
func polled(ago ...time.Duration) *workflowservice.DescribeTaskQueueResponse {
	answer := &workflowservice.DescribeTaskQueueResponse{}
	for i, silent := range ago {
		answer.Pollers = append(answer.Pollers, &taskqueuepb.PollerInfo{
			Identity: fmt.Sprint("worker-", i+1), LastAccessTime: timestamppb.New(time.Now().Add(-silent)),
		})
	}
	return answer
}

// versioned sets the version of all pollers and the current version.
func versioned(answer *workflowservice.DescribeTaskQueueResponse, build, current string) *workflowservice.DescribeTaskQueueResponse {
	for _, poller := range answer.Pollers {
		if build != "" {
			poller.DeploymentOptions = &deploymentpb.WorkerDeploymentOptions{
				DeploymentName: "lumaflow", BuildId: build, WorkerVersioningMode: enumspb.WORKER_VERSIONING_MODE_VERSIONED,
			}
		}
	}
	answer.VersioningInfo = &taskqueuepb.TaskQueueVersioningInfo{}
	if current != "" {
		answer.VersioningInfo.CurrentDeploymentVersion = &deploymentpb.WorkerDeploymentVersion{DeploymentName: "lumaflow", BuildId: current}
	}
	return answer
}

// world is a working setup; the tests change parts of it.
type world struct {
	t        *testing.T
	settings doctor.Command
	env      environment
	temporal *temporal
	signals  *signals
	// kie and hooks are proxies of the simulated kie.ai and the webhook.
	kie, hooks *proxy
}

// environment holds Temporal's variables.
type environment map[string]string

func (e environment) LookupEnv(key string) (string, bool) {
	value, ok := e[key]
	if !ok && key == "TEMPORAL_CONFIG_FILE" {
		return os.DevNull, true
	}
	return value, ok
}

func (e environment) Environ() []string { return nil }

// signals records the webhook's signals to jobs.
type signals struct {
	mu   sync.Mutex
	jobs []string
	err  error
}

func (s *signals) SignalCallback(_ context.Context, job string, _ workflows.Callback) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobs = append(s.jobs, job)
	return s.err
}

// proxy forwards to a handler, or answers with instead if that is set.
type proxy struct {
	behind  http.Handler
	instead http.HandlerFunc
	server  *httptest.Server
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p.instead != nil {
		p.instead(w, r)
		return
	}
	p.behind.ServeHTTP(w, r)
}

func newProxy(t *testing.T, behind http.Handler) *proxy {
	p := &proxy{behind: behind}
	p.server = httptest.NewServer(p)
	t.Cleanup(p.server.Close)
	return p
}

func newWorld(t *testing.T) *world {
	t.Helper()
	now := 0 * time.Second
	w := &world{
		t: t,
		temporal: &temporal{
			attributes: map[string]enumspb.IndexedValueType{"LumaStage": enumspb.INDEXED_VALUE_TYPE_KEYWORD, "LumaTaskId": enumspb.INDEXED_VALUE_TYPE_KEYWORD, "LumaBatch": enumspb.INDEXED_VALUE_TYPE_KEYWORD},
			queues:     map[string]*workflowservice.DescribeTaskQueueResponse{jobs: polled(now), others: polled(now), submissions: polled(now)},
		},
		signals: &signals{err: serviceerror.NewNotFound("workflow not found for ID")},
	}
	w.simulate(kietest.Options{APIKey: apiKey})
	w.receive(hmacKey, secret)
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := grpc.NewServer()
	workflowservice.RegisterWorkflowServiceServer(server, w.temporal)
	operatorservice.RegisterOperatorServiceServer(server, w.temporal)
	stopped := make(chan error, 1)
	go func() { stopped <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-stopped; !errors.Is(err, grpc.ErrServerStopped) { // stopped before it began
			assert.NoError(t, err)
		}
	})
	w.env = environment{"TEMPORAL_ADDRESS": listener.Addr().String(), "TEMPORAL_NAMESPACE": namespace}
	folder := t.TempDir()
	w.settings = doctor.Command{
		Settings: worker.Settings{
			KieAPIKey: apiKey, KieBaseURL: w.kie.server.URL, CallbackBaseURL: w.hooks.server.URL, CallbackSecret: secret,
			OutputURL: filepath.Join(folder, "videos"), WorkDir: filepath.Join(folder, "work"), TaskQueue: queue,
			SubmitsPerSecond: 2, PollAfter: new(time.Minute), PollInterval: time.Second,
		},
		Signing: webhook.Signing{HMACKey: hmacKey},
		Env:     w.env,
	}
	return w
}

// simulate replaces the simulated kie.ai.
func (w *world) simulate(options kietest.Options) {
	w.t.Helper()
	kie, err := kietest.New(options)
	require.NoError(w.t, err)
	w.t.Cleanup(func() { assert.NoError(w.t, kie.Close()) })
	if w.kie == nil {
		w.kie = newProxy(w.t, kie)
	}
	w.kie.behind = kie
}

// receive replaces the webhook. Its Temporal has no job.
func (w *world) receive(hmacKeys, secrets string) {
	w.t.Helper()
	known, err := callback.ParseSecrets(secrets)
	require.NoError(w.t, err)
	verifier, err := kie.ParseVerifier(hmacKeys)
	require.NoError(w.t, err)
	handler := webhook.New(webhook.Options{Signaler: w.signals, Namespace: namespace, Secrets: known, Verifier: verifier})
	if w.hooks == nil {
		w.hooks = newProxy(w.t, handler)
	}
	w.hooks.behind = handler
}

var tokenShape = regexp.MustCompile(`[A-Za-z0-9_-]{43,}`)

// examine runs the command with --json and returns its findings by check. No
// finding may hold a secret.
func (w *world) examine() (map[string]doctor.Finding, error) {
	w.t.Helper()
	settings := w.settings
	settings.JSON = true
	var out, errs bytes.Buffer
	err := settings.Run(w.t.Context(), command.Streams{Out: &out, Err: &errs})
	var report struct {
		OK     bool
		Checks []doctor.Finding
	}
	require.NoError(w.t, json.Unmarshal(out.Bytes(), &report), out.String())
	findings := map[string]doctor.Finding{}
	failed := false
	for _, finding := range report.Checks {
		findings[finding.Check] = finding
		failed = failed || finding.Status == doctor.Fail
		assert.NotContains(w.t, finding.Message, "\n")
		assert.NotEmpty(w.t, finding.Message)
		assert.NotRegexp(w.t, tokenShape, strings.ReplaceAll(finding.Message, filepath.Dir(w.settings.WorkDir), ""))
		for _, secret := range []string{apiKey, secret, hmacKey} {
			assert.NotContains(w.t, finding.Message, secret)
		}
	}
	assert.Equal(w.t, failed, err != nil)
	assert.Equal(w.t, !failed, report.OK)
	assert.Equal(w.t, command.ExitCode(err) == command.ExitFailed, failed)
	assert.Empty(w.t, errs.String())
	return findings, err
}

// at changes a URL.
func at(t *testing.T, base string, change func(*url.URL)) string {
	t.Helper()
	parsed, err := url.Parse(base)
	require.NoError(t, err)
	change(parsed)
	return parsed.String()
}
