package workflows_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"lumaflow/activities"
	"lumaflow/workflows"
)

// canceled is how a cancelled job ends; the other ends are types of failures, or
// empty for a video.
const canceled = "Canceled"

// scenario is a named life of a job.
type scenario struct {
	name string
	// about says in a sentence what happens.
	about string
	input any
	// settings are the worker's; nil means callbacks, and a poll after 10 min.
	settings *activities.Settings
	// The acts are what the calls of an activity come to, one after the other.
	submit   []submitAct
	identify []identifyAct
	poll     []pollAct
	download []downloadAct
	receipt  []receiptAct
	// drive is what happens to the job from outside.
	drive func(*take)
	// ends is how the job ends.
	ends string
}

// take is a scenario that is being recorded.
type take struct {
	t        *testing.T
	ctx      context.Context
	client   client.Client
	scenario scenario
	// gate is opened by the scenario and waited for by acts.
	gate chan struct{}

	mu    sync.Mutex
	calls map[string]int
	// left is the evidence of the submissions, in order.
	left []activities.Evidence
}

// call counts the calls of an activity, from 0.
func (t *take) call(name string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls[name]++
	return t.calls[name] - 1
}

func (t *take) settings() activities.Settings {
	if t.scenario.settings != nil {
		return *t.scenario.settings
	}
	return withCallbacks
}

func (t *take) evidence(in activities.SubmitInput, phase activities.Phase, taskID string) activities.Evidence {
	evidence := activities.Evidence{
		Phase: phase, TaskID: taskID, At: time.Now().UTC(), Attempts: in.Attempts + 1, Settings: t.settings(),
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.left = append(t.left, evidence)
	return evidence
}

// until waits for what has to happen next.
func (t *take) until(what string, condition func() bool) {
	t.t.Helper()
	require.Eventually(t.t, condition, recordTime, 50*time.Millisecond, what)
}

// reaches waits for a stage, after so many submissions. A query may be ahead of
// the history by the workflow task that is due, so that has to be over, too.
func (t *take) reaches(stage workflows.Stage, submissions int) {
	t.t.Helper()
	t.until("stage "+string(stage), func() bool {
		var status workflows.Status
		answer, err := t.client.QueryWorkflow(t.ctx, t.scenario.name, "", workflows.StatusQuery)
		if err != nil || answer.Get(&status) != nil || status.Stage != stage || status.SubmitAttempts < submissions {
			return false
		}
		job, err := t.client.DescribeWorkflow(t.ctx, t.scenario.name, "")
		return err == nil && job.RawResponse.GetPendingWorkflowTask() == nil
	})
}

// runs waits until an activity has been started, retries until it has failed and
// waits for its next attempt.
func (t *take) runs(name string)    { t.pends(name, enumspb.PENDING_ACTIVITY_STATE_STARTED, 1) }
func (t *take) retries(name string) { t.pends(name, enumspb.PENDING_ACTIVITY_STATE_SCHEDULED, 2) }

func (t *take) pends(name string, state enumspb.PendingActivityState, attempt int32) {
	t.t.Helper()
	t.until(name+" is "+state.String(), func() bool {
		job, err := t.client.DescribeWorkflow(t.ctx, t.scenario.name, "")
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

// records waits for an event.
func (t *take) records(kind enumspb.EventType) {
	t.t.Helper()
	events := t.client.GetWorkflowHistory(t.ctx, t.scenario.name, "", true, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(t.t, err)
		if event.GetEventType() == kind {
			return
		}
	}
	require.Fail(t.t, "the job ended without it", kind)
}

func (t *take) callback(taskID string) {
	t.t.Helper()
	require.NoError(t.t, workflows.CallbackSignal.Send(t.ctx, t.client, t.scenario.name,
		workflows.Callback{TaskID: taskID, Code: 200, Msg: "success", ResultURLs: []string{resultURL}}))
}

// tells sends late evidence about one of the submissions, from 0.
func (t *take) tells(submission int, phase activities.Phase, taskID string) {
	t.t.Helper()
	t.mu.Lock()
	evidence := t.left[submission]
	t.mu.Unlock()
	require.NoError(t.t, workflows.EvidenceSignal.Send(t.ctx, t.client, t.scenario.name, told(evidence, phase, taskID)))
}

// resolves is the operator's word, and what the job answers.
func (t *take) resolves(resolution workflows.Resolution) error {
	t.t.Helper()
	update, err := t.client.UpdateWorkflow(t.ctx, client.UpdateWorkflowOptions{
		WorkflowID: t.scenario.name, UpdateName: workflows.ResolveUpdate, Args: []any{resolution},
		WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	require.NoError(t.t, err)
	return update.Get(t.ctx, nil)
}

func (t *take) cancel() {
	t.t.Helper()
	require.NoError(t.t, t.client.CancelWorkflow(t.ctx, t.scenario.name, ""))
}

// endsAs checks that the scenario played what it is named for.
func (t *take) endsAs(err error) {
	t.t.Helper()
	var failed *temporal.ApplicationError
	var stopped *temporal.CanceledError
	end := ""
	switch {
	case errors.As(err, &failed):
		end = failed.Type()
	case errors.As(err, &stopped):
		end = canceled
	default:
		require.NoError(t.t, err)
	}
	require.Equal(t.t, t.scenario.ends, end, "%v", err)
}

// scenarios are all lives that are recorded and replayed.
func scenarios() []scenario {
	return slices.Concat(plainScenarios(), waitScenarios(), lostScenarios(), deathScenarios(), againScenarios(), failureScenarios(), cancelScenarios())
}
