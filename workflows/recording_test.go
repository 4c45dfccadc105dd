package workflows_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"lumaflow/activities"
	"lumaflow/workflows"
)

// canceled and terminated are the results of jobs that a person ended. The other
// results are types of failures, or empty for a job that succeeds.
const (
	canceled   = "Canceled"
	terminated = "Terminated"
)

// scenario is a scripted job.
type scenario struct {
	name string
	// about is the heading of the recorded history.
	about string
	input any
	// settings are the worker's; nil means callbacks and a poll after 10 minutes.
	settings *activities.Settings
	// The calls of each activity, in order.
	submit   []submitCall
	identify []identifyCall
	poll     []pollCall
	download []downloadCall
	source   []sourceCall
	receipt  []receiptCall
	earlier  []earlierCall
	confirm  []confirmCall
	// collects are the tasks that jobs of their own collect.
	collects []string
	// options changes the options of the start; nil keeps them.
	options func(*client.StartWorkflowOptions)
	// runs is the number of runs that are saved, each with a history of its own; 0
	// means one.
	runs int
	// drive sends signals, updates and cancels to the job.
	drive func(*recording)
	// result is empty, canceled, terminated or the type of the failure.
	result string
}

// recording is a scenario that is being recorded.
type recording struct {
	t        *testing.T
	ctx      context.Context
	client   client.Client
	scenario scenario
	// gate blocks calls until drive closes it.
	gate chan struct{}

	// attributes is false if the namespace has lost lumaflow's search attributes, for
	// workers on vanishingQueue.
	attributes *atomic.Bool
	// runIDs are the runs that the recording started, the first first.
	runIDs []string

	mu    sync.Mutex
	calls map[string]int
	// submissions are the evidence of the submissions, in order.
	submissions []activities.Evidence
}

// countCall returns the number of this call of an activity, from 0.
func (rec *recording) countCall(name string) int {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.calls[name]++
	return rec.calls[name] - 1
}

func (rec *recording) settings() activities.Settings {
	if rec.scenario.settings != nil {
		return *rec.scenario.settings
	}
	return withCallbacks
}

func (rec *recording) evidence(in activities.SubmitInput, phase activities.Phase, taskID string) activities.Evidence {
	evidence := activities.Evidence{
		Phase: phase, TaskID: taskID, At: time.Now().UTC(), Attempts: in.Attempts + 1, Settings: rec.settings(),
	}
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.submissions = append(rec.submissions, evidence)
	return evidence
}

// eventually waits for a condition.
func (rec *recording) eventually(description string, condition func() bool) {
	rec.t.Helper()
	require.Eventually(rec.t, condition, recordTime, 50*time.Millisecond, description)
}

// awaitStage waits for a stage and a number of submissions. A query may be ahead
// of the history by the pending workflow task, so it waits for its end, too.
func (rec *recording) awaitStage(stage workflows.Stage, submissions int) {
	rec.t.Helper()
	rec.eventually("stage "+string(stage), func() bool {
		status := rec.status()
		if status.Stage != stage || status.SubmitAttempts < submissions {
			return false
		}
		job, err := rec.client.DescribeWorkflow(rec.ctx, rec.scenario.name, "")
		return err == nil && job.RawResponse.GetPendingWorkflowTask() == nil
	})
}

// status is the answer of the job; its stage is empty if it can't be read.
func (rec *recording) status() (status workflows.Status) {
	answer, err := rec.client.QueryWorkflow(rec.ctx, rec.scenario.name, "", workflows.StatusQuery)
	if err != nil || answer.Get(&status) != nil {
		return workflows.Status{}
	}
	return status
}

// awaitStart waits until an activity has started.
func (rec *recording) awaitStart(name string) {
	rec.awaitPending(name, enumspb.PENDING_ACTIVITY_STATE_STARTED, 1)
}

// awaitRetry waits until an activity has failed and its next attempt is scheduled.
func (rec *recording) awaitRetry(name string) {
	rec.awaitPending(name, enumspb.PENDING_ACTIVITY_STATE_SCHEDULED, 2)
}

// awaitEnd waits until an activity was called and none is pending.
func (rec *recording) awaitEnd(name string) {
	rec.t.Helper()
	rec.eventually(name+" has ended", func() bool {
		rec.mu.Lock()
		called := rec.calls[name] > 0
		rec.mu.Unlock()
		job, err := rec.client.DescribeWorkflow(rec.ctx, rec.scenario.name, "")
		return called && err == nil && len(job.RawResponse.GetPendingActivities()) == 0 && job.RawResponse.GetPendingWorkflowTask() == nil
	})
}

func (rec *recording) awaitPending(name string, state enumspb.PendingActivityState, attempt int32) {
	rec.t.Helper()
	rec.eventually(name+" is "+state.String(), func() bool {
		job, err := rec.client.DescribeWorkflow(rec.ctx, rec.scenario.name, "")
		if err != nil {
			return false
		}
		for _, pending := range job.RawResponse.GetPendingActivities() {
			if pending.GetActivityType().GetName() == name && pending.GetState() == state && pending.GetAttempt() >= attempt {
				return true
			}
		}
		return false
	})
}

// awaitEvent waits for an event in the history.
func (rec *recording) awaitEvent(kind enumspb.EventType) {
	rec.t.Helper()
	events := rec.client.GetWorkflowHistory(rec.ctx, rec.scenario.name, "", true, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(rec.t, err)
		if event.GetEventType() == kind {
			return
		}
	}
	require.Fail(rec.t, "the job ended without the event", kind)
}

func (rec *recording) sendSuccess(taskID string) {
	rec.t.Helper()
	require.NoError(rec.t, workflows.CallbackSignal.Send(rec.ctx, rec.client, rec.scenario.name,
		workflows.Callback{TaskID: taskID, Code: 200, Msg: "success", ResultURLs: []string{resultURL}}))
}

// sendEvidence sends late evidence about the first submission.
func (rec *recording) sendEvidence(phase activities.Phase, taskID string) {
	rec.t.Helper()
	rec.mu.Lock()
	evidence := rec.submissions[0]
	rec.mu.Unlock()
	require.NoError(rec.t, workflows.EvidenceSignal.Send(rec.ctx, rec.client, rec.scenario.name, withOutcome(evidence, phase, taskID)))
}

// sendResolution sends a decision of an operator and returns the job's answer.
func (rec *recording) sendResolution(resolution workflows.Resolution) error {
	rec.t.Helper()
	update, err := rec.client.UpdateWorkflow(rec.ctx, client.UpdateWorkflowOptions{
		WorkflowID: rec.scenario.name, UpdateName: workflows.ResolveUpdate, Args: []any{resolution},
		WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	require.NoError(rec.t, err)
	return update.Get(rec.ctx, nil)
}

func (rec *recording) cancel() {
	rec.t.Helper()
	require.NoError(rec.t, rec.client.CancelWorkflow(rec.ctx, rec.scenario.name, ""))
}

// checkEnd checks that the scenario ended with its result.
func (rec *recording) checkEnd(err error) {
	rec.t.Helper()
	var failed *temporal.ApplicationError
	var cancelled *temporal.CanceledError
	var ended *temporal.TerminatedError
	end := ""
	switch {
	case errors.As(err, &failed):
		end = failed.Type()
	case errors.As(err, &cancelled):
		end = canceled
	case errors.As(err, &ended):
		end = terminated
	default:
		require.NoError(rec.t, err)
	}
	require.Equal(rec.t, rec.scenario.result, end, "%v", err)
}

// scenarios are all jobs that are recorded and replayed.
func scenarios() []scenario {
	return slices.Concat(plainScenarios(), sourceScenarios(), waitScenarios(), lostScenarios(), timeoutScenarios(), resubmitScenarios(), failureScenarios(), cancelScenarios(),
		laterRunScenarios(), intentScenarios(), strayScenarios(), modelScenarios())
}
