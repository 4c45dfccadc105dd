package workflows_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"lumaflow/activities"
	"lumaflow/internal/telemetry/metrics/metricstest"
	"lumaflow/workflows"
)

// a lends its methods as activity references.
var a *activities.Activities

const (
	ourTask   = "0123456789abcdef0123456789abcdef"
	otherTask = "fedcba9876543210fedcba9876543210"
	resultURL = "https://tempfile.example.org/l/result.mp4"
)

var withCallbacks = activities.Settings{Callbacks: true, PollAfter: 10 * time.Minute}

// life runs ModifyVideo under a clock that skips, against activities that the
// test scripts.
type life struct {
	*testsuite.TestWorkflowEnvironment
	t *testing.T
	// submissions counts the calls of Submit.
	submissions int
	shown       metricstest.Recorder
}

func newLife(t *testing.T) *life {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	shown := metricstest.New()
	suite.SetMetricsHandler(shown)
	l := &life{TestWorkflowEnvironment: suite.NewTestWorkflowEnvironment(), t: t, shown: shown}
	l.prepare()
	return l
}

func (l *life) prepare() {
	workflows.Register(l.TestWorkflowEnvironment)
	l.RegisterActivity(a.Submit)
	l.RegisterActivity(a.Identify)
	l.RegisterActivity(a.Poll)
	l.RegisterActivity(a.Download)
	l.RegisterActivity(a.WriteReceipt)
	// A machine that is busy otherwise may let a workflow wait for a second, which
	// the SDK takes for a deadlock.
	l.SetTestTimeout(time.Minute)
	l.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: time.Minute})
}

// submits scripts what the submissions come to, one after the other.
func (l *life) submits(outcomes ...func(activities.SubmitInput) (activities.Submitted, error)) *life {
	l.OnActivity(a.Submit, anything, anything).Return(
		func(_ context.Context, input activities.SubmitInput) (activities.Submitted, error) {
			if l.submissions >= len(outcomes) {
				l.t.Errorf("submission %d was not expected", l.submissions+1)
				return activities.Submitted{}, temporal.NewNonRetryableApplicationError("unexpected", "Test", nil)
			}
			outcome := outcomes[l.submissions]
			l.submissions++
			return outcome(input)
		})
	return l
}

func (l *life) accepted(taskID string) func(activities.SubmitInput) (activities.Submitted, error) {
	return func(input activities.SubmitInput) (activities.Submitted, error) {
		return activities.Submitted{TaskID: taskID, SubmittedAt: l.Now(), Attempts: input.Attempts + 1, Settings: withCallbacks}, nil
	}
}

func (l *life) fails(errorType string, details ...any) func(activities.SubmitInput) (activities.Submitted, error) {
	return func(activities.SubmitInput) (activities.Submitted, error) {
		return activities.Submitted{}, temporal.NewNonRetryableApplicationError("the provider's words", errorType, nil, details...)
	}
}

func (l *life) unknown() func(activities.SubmitInput) (activities.Submitted, error) {
	return func(input activities.SubmitInput) (activities.Submitted, error) {
		return l.fails(activities.SubmitUnknown, l.evidence(activities.PhaseSending, ""))(input)
	}
}

// dies is a worker that was killed; last is what its attempt left behind.
func (l *life) dies(kind enumspb.TimeoutType, last ...any) func(activities.SubmitInput) (activities.Submitted, error) {
	return func(activities.SubmitInput) (activities.Submitted, error) {
		return activities.Submitted{}, temporal.NewTimeoutError(kind, nil, last...)
	}
}

func (l *life) evidence(phase activities.Phase, taskID string) activities.Evidence {
	return activities.Evidence{Phase: phase, TaskID: taskID, At: l.Now(), Attempts: 1, Settings: withCallbacks}
}

// polls has the record say that the task has ended.
func (l *life) polls(taskID string) *life {
	l.OnActivity(a.Poll, anything, mock.MatchedBy(func(in activities.PollInput) bool { return in.TaskID == taskID })).
		Return(finished(taskID, 1), nil)
	return l
}

func finished(taskID string, polls int) activities.Finished {
	return activities.Finished{
		TaskID:      taskID,
		ResultURLs:  []string{resultURL},
		CompletedAt: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC),
		Polls:       polls,
	}
}

// identifies has kie.ai know a task, as this job's own or somebody else's.
func (l *life) identifies(taskID string, err error) *life {
	l.OnActivity(a.Identify, anything, mock.MatchedBy(func(in activities.IdentifyInput) bool { return in.TaskID == taskID })).
		Return(func(context.Context, activities.IdentifyInput) (activities.Identified, error) {
			if err != nil {
				return activities.Identified{}, err
			}
			return activities.Identified{TaskID: taskID, CreatedAt: l.Now(), Settings: withCallbacks, Prompt: "echoed"}, nil
		})
	return l
}

// stores has downloads and receipts succeed.
func (l *life) stores() *life {
	l.OnActivity(a.Download, anything, anything).Return(
		func(_ context.Context, in activities.DownloadInput) (activities.Downloaded, error) {
			return downloaded(in), nil
		})
	l.OnActivity(a.WriteReceipt, anything, anything).Return(nil)
	return l
}

func downloaded(in activities.DownloadInput) activities.Downloaded {
	return activities.Downloaded{
		Video: activities.Video{Location: "file:///videos/" + in.TaskID, SourceURL: in.URL, Bytes: 7},
		Name:  in.TaskID,
	}
}

// callback signals the job after a while, as the webhook does.
func (l *life) callback(after time.Duration, taskID string) *life {
	return l.signal(after, workflows.Callback{TaskID: taskID, Code: 200, Msg: "generated", ResultURLs: []string{resultURL}})
}

func (l *life) signal(after time.Duration, callback workflows.Callback) *life {
	l.RegisterDelayedCallback(func() { l.SignalWorkflow(workflows.CallbackSignal.Name, callback) }, after)
	return l
}

// sees checks the status after a while.
func (l *life) sees(after time.Duration, check func(workflows.Status)) *life {
	l.RegisterDelayedCallback(func() { check(l.status()) }, after)
	return l
}

func (l *life) status() workflows.Status {
	l.t.Helper()
	var status workflows.Status
	answer, err := l.QueryWorkflow(workflows.StatusQuery)
	require.NoError(l.t, err)
	require.NoError(l.t, answer.Get(&status))
	return status
}

func (l *life) run(input workflows.ModifyVideoInput) *life {
	l.t.Helper()
	l.ExecuteWorkflow(workflows.ModifyVideoName, input)
	require.True(l.t, l.IsWorkflowCompleted())
	return l
}

var request = workflows.ModifyVideoInput{Prompt: "Make it snow", VideoURL: "https://cdn.example.org/in.mp4"}

func (l *life) succeeds() workflows.ModifyVideoResult {
	l.t.Helper()
	require.NoError(l.t, l.GetWorkflowError())
	var result workflows.ModifyVideoResult
	require.NoError(l.t, l.GetWorkflowResult(&result))
	require.Equal(l.t, workflows.StageDone, l.status().Stage)
	return result
}

// failsWith checks the type of the failure and that its message names the job
// and everything in names.
func (l *life) failsWith(errorType string, names ...string) {
	l.t.Helper()
	var failed *temporal.ApplicationError
	require.ErrorAs(l.t, l.GetWorkflowError(), &failed)
	require.Equal(l.t, errorType, failed.Type(), failed.Message())
	for _, name := range append(names, "default-test-workflow-id", "Next: ") {
		require.Contains(l.t, failed.Message(), name)
	}
	status := l.status()
	require.Equal(l.t, workflows.StageFailed, status.Stage)
	require.Equal(l.t, failed.Message(), status.Detail)
}

var anything = mock.Anything

type ctx = context.Context

type commonPayload = commonpb.Payload
