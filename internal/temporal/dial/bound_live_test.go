package dial_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/proxy"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"lumaflow/internal/temporal/codec"
	"lumaflow/internal/temporal/devserver"
	"lumaflow/internal/temporal/dial"
)

const boundQueue = "bound"

// tour is the input of a workflow that uses every kind of payload.
type tour struct{ Round int }

func (tour) WorkflowInput() {}

// choice is the input of its update.
type choice struct {
	Action     string
	unreadable error
}

func (c *choice) Unreadable(err error) { c.unreadable = err }

func validateChoice(_ workflow.Context, given choice) error {
	if given.unreadable != nil {
		return fmt.Errorf("not used: %w", given.unreadable)
	}
	return nil
}

type detail struct{ Text string }

// tourActivities record evidence as a submission does.
type tourActivities struct{ recorder client.Client }

func (a tourActivities) record(ctx context.Context, text string) error {
	info := activity.GetInfo(ctx)
	return a.recorder.RecordActivityHeartbeatWithOptions(ctx, client.RecordActivityHeartbeatOptions{
		TaskToken: info.TaskToken, Details: []any{detail{text}}, Namespace: info.Namespace, WorkflowID: info.WorkflowExecution.ID,
	})
}

// Retried returns the heartbeat of its first attempt.
func (a tourActivities) Retried(ctx context.Context, in detail) (detail, error) {
	if activity.GetInfo(ctx).Attempt == 1 {
		return detail{}, errors.Join(a.record(ctx, in.Text), errors.New("again"))
	}
	var last detail
	err := activity.GetHeartbeatDetails(ctx, &last)
	return last, err
}

// Dies records a heartbeat and never ends.
func (a tourActivities) Dies(ctx context.Context) error {
	if err := a.record(ctx, "last words"); err != nil {
		return err
	}
	return activity.ErrResultPending
}

func (tourActivities) Fails(context.Context) error {
	return temporal.NewNonRetryableApplicationError("no", "Refused", errors.New("cause"), detail{"details"})
}

func (tourActivities) Local(_ context.Context, in detail) (detail, error) { return in, nil }

// childTour returns what its parent signals, or fails.
func childTour(ctx workflow.Context, in tour) (detail, error) {
	if in.Round > 0 {
		return detail{}, temporal.NewApplicationError("child", "Refused", detail{"of the child"})
	}
	var received detail
	workflow.GetSignalChannel(ctx, "go").Receive(ctx, &received)
	return received, nil
}

func everyPayload(ctx workflow.Context, in tour) (texts []string, err error) {
	if in.Round == 1 {
		return []string{"the end"}, nil
	}
	add := func(value detail, err error) {
		if err != nil {
			value.Text = err.Error()
		}
		texts = append(texts, value.Text)
	}
	if err := workflow.SetQueryHandler(ctx, "status", func(prefix detail) (detail, error) { return detail{prefix.Text + "!"}, nil }); err != nil {
		return nil, err
	}
	if err := workflow.SetUpdateHandlerWithOptions(ctx, "resolve", func(_ workflow.Context, given choice) (detail, error) {
		if given.unreadable != nil {
			panic(given.unreadable)
		}
		return detail{given.Action}, nil
	}, workflow.UpdateHandlerOptions{Validator: validateChoice}); err != nil {
		return nil, err
	}
	if err := workflow.UpsertMemo(ctx, map[string]any{"lumaTask": detail{"memo"}}); err != nil {
		return nil, err
	}
	var value detail
	err = workflow.SideEffect(ctx, func(workflow.Context) any { return detail{"side effect"} }).Get(&value)
	add(value, err)
	err = workflow.MutableSideEffect(ctx, "m", func(workflow.Context) any { return detail{"mutable"} }, func(a, b any) bool { return a == b }).Get(&value)
	add(value, err)
	workflow.GetVersion(ctx, "change", workflow.DefaultVersion, 1)
	local := workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{StartToCloseTimeout: time.Minute, Summary: "local"})
	err = workflow.ExecuteLocalActivity(local, (&tourActivities{}).Local, detail{"local"}).Get(ctx, &value)
	add(value, err)

	remote := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 2 * time.Second, Summary: "remote",
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: time.Millisecond, NonRetryableErrorTypes: []string{"TemporalTimeout:StartToClose"}},
	})
	err = workflow.ExecuteActivity(remote, "Retried", detail{"heartbeat"}).Get(ctx, &value)
	add(value, err)
	var timeout *temporal.TimeoutError
	if err := workflow.ExecuteActivity(remote, "Dies").Get(ctx, nil); errors.As(err, &timeout) {
		add(value, timeout.LastHeartbeatDetails(&value))
	}
	var failed *temporal.ApplicationError
	if err := workflow.ExecuteActivity(remote, "Fails").Get(ctx, nil); errors.As(err, &failed) {
		add(value, failed.Details(&value))
	}

	child := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: workflow.GetInfo(ctx).WorkflowExecution.ID + "-child", Memo: map[string]any{"m": 1}})
	running := workflow.ExecuteChildWorkflow(child, childTour, tour{})
	if err := running.SignalChildWorkflow(ctx, "go", detail{"child"}).Get(ctx, nil); err != nil {
		return nil, err
	}
	err = running.Get(ctx, &value)
	add(value, err)
	child = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: workflow.GetInfo(ctx).WorkflowExecution.ID + "-failing"})
	if err := workflow.ExecuteChildWorkflow(child, childTour, tour{1}).Get(ctx, nil); errors.As(err, &failed) {
		add(value, failed.Details(&value))
	}
	workflow.GetSignalChannel(ctx, "callback").Receive(ctx, &value)
	add(value, nil)
	want := "side effect,mutable,local,heartbeat,last words,details,child,of the child,callback"
	if got := strings.Join(texts, ","); got != want {
		return nil, temporal.NewApplicationError(got, "Different")
	}
	return nil, workflow.NewContinueAsNewError(ctx, everyPayload, tour{1})
}

// boundWorld is a dev server with a worker that has keys.
type boundWorld struct {
	t       *testing.T
	address string
	log     *lockedBuffer
	client  client.Client
	plain   client.Client
	codec   codec.Codec
}

func (w *boundWorld) dial(worker bool, more env) client.Client {
	w.t.Helper()
	e := env{"TEMPORAL_ADDRESS": w.address}
	maps.Copy(e, more)
	dialled, err := dial.Temporal(w.t.Context(), dial.Options{Env: e, Worker: worker, Logger: slog.New(slog.NewTextHandler(w.log, nil))})
	require.NoError(w.t, err)
	w.t.Cleanup(dialled.Close)
	return dialled
}

func (w *boundWorld) work(more env) (stop func()) {
	w.t.Helper()
	temporal := w.dial(true, more)
	running := worker.New(temporal, boundQueue, worker.Options{})
	running.RegisterWorkflow(everyPayload)
	running.RegisterWorkflow(childTour)
	running.RegisterActivity(&tourActivities{temporal})
	require.NoError(w.t, running.Start())
	return running.Stop
}

func boundTo(t *testing.T, keys env) *boundWorld {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a Temporal server")
	}
	server, err := devserver.Start(t.Context(), devserver.Options{Progress: os.Stderr})
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	w := &boundWorld{t: t, address: server.Address(), log: &lockedBuffer{}}
	settings, err := dial.Load(keys)
	require.NoError(t, err)
	w.client, w.plain, w.codec = w.dial(false, keys), w.dial(false, nil), settings.Codec
	return w
}

func (w *boundWorld) history(id, run string) *historypb.History {
	w.t.Helper()
	history := &historypb.History{}
	events := w.client.GetWorkflowHistory(w.t.Context(), id, run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(w.t, err)
		history.Events = append(history.Events, event)
	}
	return history
}

// Every kind of payload carries the tag of its job and opens wherever Temporal's SDK
// decodes it: in workers, clients, later runs and after a reset.
func TestEveryPayloadIsBound(t *testing.T) {
	keys := env{"CODEC_KEYS": "main:" + codecKey}
	w := boundTo(t, keys)
	defer w.work(keys)()
	ctx, id := t.Context(), "luma-1"
	run, err := w.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: id, TaskQueue: boundQueue, Memo: map[string]any{"a": "b"}, StaticSummary: "summary", StaticDetails: "details",
	}, everyPayload, tour{})
	require.NoError(t, err)
	// The handle moves on to the last run of the chain.
	first := run.GetRunID()
	answer, err := w.client.QueryWorkflow(ctx, id, "", "status", detail{"well"})
	require.NoError(t, err)
	var value detail
	require.NoError(t, answer.Get(&value))
	require.Equal(t, "well!", value.Text)
	update, err := w.client.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: id, UpdateName: "resolve", Args: []any{choice{Action: "adopt"}}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	require.NoError(t, err)
	require.NoError(t, update.Get(ctx, &value))
	require.Equal(t, "adopt", value.Text)
	require.NoError(t, w.client.SignalWorkflow(ctx, id, "", "callback", detail{"callback"}))
	var texts []string
	require.NoError(t, run.Get(ctx, &texts))
	require.Equal(t, []string{"the end"}, texts)

	latest, err := w.client.DescribeWorkflow(ctx, id, "")
	require.NoError(t, err)
	require.NoError(t, w.codec.ForClient().Of("default", id).Data.FromPayload(latest.RawResponse.GetWorkflowExecutionInfo().GetMemo().GetFields()["lumaTask"], &value))
	require.Equal(t, "memo", value.Text)
	reset, err := w.client.ResetWorkflowExecution(ctx, &workflowservice.ResetWorkflowExecutionRequest{
		Namespace: "default", WorkflowExecution: latest.RawResponse.GetWorkflowExecutionInfo().GetExecution(), WorkflowTaskFinishEventId: 4, RequestId: "r",
	})
	require.NoError(t, err)
	require.NoError(t, w.client.GetWorkflow(ctx, id, reset.GetRunId()).Get(ctx, &texts))

	count := 0
	for job, runs := range map[string][]string{id: {first, latest.RawResponse.GetWorkflowExecutionInfo().GetExecution().GetRunId(), reset.GetRunId()}, id + "-child": {""}, id + "-failing": {""}} {
		for _, runID := range runs {
			history := w.history(job, runID)
			require.NoError(t, proxy.VisitPayloads(ctx, history, proxy.VisitPayloadsOptions{
				Visitor: func(visit *proxy.VisitPayloadsContext, payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
					for _, payload := range payloads {
						count++
						assert.Len(t, payload.GetMetadata()["encryption-job"], 33, "%T of %s", visit.Parent, job)
					}
					return payloads, nil
				},
				SkipSearchAttributes: true,
			}))
			require.NoError(t, w.codec.DecodeHistory(ctx, converter.WorkflowSerializationContext{Namespace: "default", WorkflowID: job}, history), job)
		}
	}
	assert.Greater(t, count, 50)
	assert.NotContains(t, w.log.String(), "payload refused")
}

// Injected payloads, unencrypted or moved from another job, reach no workflow: an update is rejected, a signal stops the job until a worker accepts it.
func TestSlippedPayloadsAreRefused(t *testing.T) {
	keys := env{"CODEC_KEYS": "main:" + codecKey}
	w := boundTo(t, keys)
	stop := w.work(keys)
	ctx := t.Context()
	others, err := w.codec.ForClient().Of("default", "luma-9").Data.ToPayload(detail{"callback"})
	require.NoError(t, err)
	const plaintext, moved = "refused: not encrypted, although CODEC_KEYS is set", "refused: encrypted for another job"
	slipped := map[string]struct {
		value any
		want  string
		log   string
	}{
		"luma-plain": {detail{"callback"}, plaintext, "plaintext"},
		"luma-moved": {converter.NewRawValue(others), moved, "other-job"},
	}
	for id, test := range slipped {
		// People start jobs with Temporal's CLI, unencrypted.
		_, err := w.plain.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: id, TaskQueue: boundQueue}, everyPayload, tour{})
		require.NoError(t, err)
		update, err := w.plain.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
			WorkflowID: id, UpdateName: "resolve", Args: []any{test.value}, WaitForStage: client.WorkflowUpdateStageCompleted,
		})
		if err == nil {
			err = update.Get(ctx, nil)
		}
		require.ErrorContains(t, err, test.want, "readable without keys")
		require.NoError(t, w.plain.SignalWorkflow(ctx, id, "", "callback", test.value))
		refused := func() bool {
			for _, event := range w.history(id, "").GetEvents() {
				if strings.Contains(event.GetWorkflowTaskFailedEventAttributes().GetFailure().GetMessage(), test.want) {
					return true
				}
			}
			return false
		}
		require.Eventually(t, refused, time.Minute, 50*time.Millisecond)
		require.Contains(t, w.log.String(), fmt.Sprintf(`msg="payload refused" reason=%s job=%s namespace=default`, test.log, id))
		described, err := w.client.DescribeWorkflow(ctx, id, "")
		require.NoError(t, err)
		require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, described.RawResponse.GetWorkflowExecutionInfo().GetStatus())
	}
	stop()
	// With CODEC_ACCEPT_PLAINTEXT the first job continues, the second one does not.
	defer w.work(env{"CODEC_KEYS": "main:" + codecKey, "CODEC_ACCEPT_PLAINTEXT": "true"})()
	var texts []string
	require.NoError(t, w.client.GetWorkflow(ctx, "luma-plain", "").Get(ctx, &texts))
	require.Equal(t, []string{"the end"}, texts)
	described, err := w.client.DescribeWorkflow(ctx, "luma-moved", "")
	require.NoError(t, err)
	require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, described.RawResponse.GetWorkflowExecutionInfo().GetStatus())
	require.NoError(t, w.client.TerminateWorkflow(ctx, "luma-moved", "", "end of the test"))
}
