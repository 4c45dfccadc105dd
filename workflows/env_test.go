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
	"lumaflow/test/metricstest"
	"lumaflow/workflows"
)

// a stays nil: its methods serve as activity references.
var a *activities.Activities

const (
	ourTask   = "0123456789abcdef0123456789abcdef"
	otherTask = "fedcba9876543210fedcba9876543210"
	resultURL = "https://tempfile.example.org/l/result.mp4"
)

var withCallbacks = activities.Settings{Callbacks: true, PollAfter: 10 * time.Minute}

// deadlockTimeout is the time of a workflow task. On a busy machine it may take more
// than a second, the SDK's default limit for a deadlock.
const deadlockTimeout = time.Minute

// jobEnv runs ModifyVideo in a test environment, which skips time, against
// scripted activities.
type jobEnv struct {
	*testsuite.TestWorkflowEnvironment
	t *testing.T
	// submissions counts the calls of Submit, submitting those that the workflow waits
	// for.
	submissions, submitting int
	metrics                 metricstest.Recorder
}

func newJobEnv(t *testing.T) *jobEnv {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	metrics := metricstest.New()
	suite.SetMetricsHandler(metrics)
	env := &jobEnv{TestWorkflowEnvironment: suite.NewTestWorkflowEnvironment(), t: t, metrics: metrics}
	env.prepare()
	return env
}

func (env *jobEnv) prepare() {
	workflows.Register(env.TestWorkflowEnvironment, nil)
	env.prepareActivities()
}

func (env *jobEnv) prepareActivities() {
	env.RegisterActivity(a.Submit)
	env.RegisterActivity(a.EarlierRuns)
	env.RegisterActivity(a.Confirm)
	env.RegisterActivity(a.Identify)
	env.RegisterActivity(a.Poll)
	env.RegisterActivity(a.Download)
	env.RegisterActivity(a.KeepSource)
	env.RegisterActivity(a.WriteReceipt)
	env.RegisterActivity(a.ReportEnd)
	env.SetTestTimeout(time.Minute)
	env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: deadlockTimeout})
}

// onSubmit scripts the calls of Submit, in order.
func (env *jobEnv) onSubmit(outcomes ...func(activities.SubmitInput) (activities.Submitted, error)) *jobEnv {
	env.OnActivity(a.Submit, anything, anything).Return(
		func(_ context.Context, input activities.SubmitInput) (activities.Submitted, error) {
			if env.submissions >= len(outcomes) {
				env.t.Errorf("submission %d was not expected", env.submissions+1)
				return activities.Submitted{}, temporal.NewNonRetryableApplicationError("unexpected", "Test", nil)
			}
			outcome := outcomes[env.submissions]
			env.submissions++
			return outcome(input)
		})
	return env
}

func (env *jobEnv) accepted(taskID string) func(activities.SubmitInput) (activities.Submitted, error) {
	return func(input activities.SubmitInput) (activities.Submitted, error) {
		return activities.Submitted{TaskID: taskID, SubmittedAt: env.Now(), Attempts: input.Attempts + 1, Settings: withCallbacks}, nil
	}
}

func (env *jobEnv) fails(errorType string, details ...any) func(activities.SubmitInput) (activities.Submitted, error) {
	return func(activities.SubmitInput) (activities.Submitted, error) {
		return activities.Submitted{}, temporal.NewNonRetryableApplicationError("provider message", errorType, nil, details...)
	}
}

func (env *jobEnv) unknown() func(activities.SubmitInput) (activities.Submitted, error) {
	return func(input activities.SubmitInput) (activities.Submitted, error) {
		return env.fails(activities.SubmitUnknown, env.evidence(activities.PhaseSending, ""))(input)
	}
}

// timesOut is an attempt of a killed worker; last is its last heartbeat.
func (env *jobEnv) timesOut(kind enumspb.TimeoutType, last ...any) func(activities.SubmitInput) (activities.Submitted, error) {
	return func(activities.SubmitInput) (activities.Submitted, error) {
		return activities.Submitted{}, temporal.NewTimeoutError(kind, nil, last...)
	}
}

func (env *jobEnv) evidence(phase activities.Phase, taskID string) activities.Evidence {
	return activities.Evidence{Phase: phase, TaskID: taskID, At: env.Now(), Attempts: 1, Settings: withCallbacks}
}

// onPoll scripts the record of ourTask, which has ended.
func (env *jobEnv) onPoll() *jobEnv {
	env.OnActivity(a.Poll, anything, mock.MatchedBy(func(in activities.PollInput) bool { return in.TaskID == ourTask })).
		Return(finished(ourTask, 1), nil)
	return env
}

func finished(taskID string, polls int) activities.Finished {
	return activities.Finished{
		TaskID:      taskID,
		ResultURLs:  []string{resultURL},
		CompletedAt: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC),
		Polls:       polls,
	}
}

// onIdentify scripts the record of a task, or the error of its lookup.
func (env *jobEnv) onIdentify(taskID string, err error) *jobEnv {
	env.OnActivity(a.Identify, anything, mock.MatchedBy(func(in activities.IdentifyInput) bool { return in.TaskID == taskID })).
		Return(func(context.Context, activities.IdentifyInput) (activities.Identified, error) {
			if err != nil {
				return activities.Identified{}, err
			}
			return activities.Identified{TaskID: taskID, CreatedAt: env.Now(), Settings: withCallbacks, Prompt: "echoed"}, nil
		})
	return env
}

// onStore scripts downloads and receipts that succeed.
func (env *jobEnv) onStore() *jobEnv {
	env.OnActivity(a.Download, anything, anything).Return(
		func(_ context.Context, in activities.DownloadInput) (activities.Downloaded, error) {
			return downloaded(in), nil
		})
	env.OnActivity(a.WriteReceipt, anything, anything).Return(nil)
	return env
}

func downloaded(in activities.DownloadInput) activities.Downloaded {
	return activities.Downloaded{
		Video: activities.Video{Location: "file:///videos/" + in.TaskID, SourceURL: in.URL, Bytes: 7},
		Name:  in.TaskID,
	}
}

// sendSuccess sends a success callback after a delay, as the webhook does.
func (env *jobEnv) sendSuccess(after time.Duration, taskID string) *jobEnv {
	return env.sendCallback(after, workflows.Callback{TaskID: taskID, Code: 200, Msg: "generated", ResultURLs: []string{resultURL}})
}

func (env *jobEnv) sendCallback(after time.Duration, callback workflows.Callback) *jobEnv {
	env.RegisterDelayedCallback(func() { env.SignalWorkflow(workflows.CallbackSignal.Name, callback) }, after)
	return env
}

// checkStatusAfter checks the status after a delay.
func (env *jobEnv) checkStatusAfter(after time.Duration, check func(workflows.Status)) {
	env.RegisterDelayedCallback(func() { check(env.status()) }, after)
}

func (env *jobEnv) status() workflows.Status {
	env.t.Helper()
	var status workflows.Status
	answer, err := env.QueryWorkflow(workflows.StatusQuery)
	require.NoError(env.t, err)
	require.NoError(env.t, answer.Get(&status))
	return status
}

func (env *jobEnv) run(input workflows.ModifyVideoInput) *jobEnv {
	env.t.Helper()
	env.ExecuteWorkflow(workflows.ModifyVideoName, input)
	require.True(env.t, env.IsWorkflowCompleted())
	return env
}

var request = workflows.ModifyVideoInput{Prompt: "Make it snow", VideoURL: "https://cdn.example.org/in.mp4"}

func (env *jobEnv) succeeds() workflows.ModifyVideoResult {
	env.t.Helper()
	require.NoError(env.t, env.GetWorkflowError())
	var result workflows.ModifyVideoResult
	require.NoError(env.t, env.GetWorkflowResult(&result))
	require.Equal(env.t, workflows.StageDone, env.status().Stage)
	return result
}

// failsWith checks the type of the failure and that its message contains the job
// id and every text in contains.
func (env *jobEnv) failsWith(errorType string, contains ...string) {
	env.t.Helper()
	var failed *temporal.ApplicationError
	require.ErrorAs(env.t, env.GetWorkflowError(), &failed)
	require.Equal(env.t, errorType, failed.Type(), failed.Message())
	for _, text := range append(contains, "default-test-workflow-id", "Next: ") {
		require.Contains(env.t, failed.Message(), text)
	}
	status := env.status()
	require.Equal(env.t, workflows.StageFailed, status.Stage)
	require.Equal(env.t, failed.Message(), status.Detail)
}

var anything = mock.Anything

type ctx = context.Context

type commonPayload = commonpb.Payload
