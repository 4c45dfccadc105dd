package workflows_test

import (
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"lumaflow/workflows"
)

// namespace is the namespace of the dev server.
const namespace = "default"

// start starts a run of the job.
func (rec *recording) start(input any) {
	rec.t.Helper()
	options := client.StartWorkflowOptions{ID: rec.scenario.name, TaskQueue: workflows.DefaultTaskQueue}
	if rec.scenario.options != nil {
		rec.scenario.options(&options)
	}
	run, err := rec.client.ExecuteWorkflow(rec.ctx, options, workflows.ModifyVideoName, input)
	require.NoError(rec.t, err)
	rec.runIDs = append(rec.runIDs, run.GetRunID())
}

// history is the history of a run as far as it is.
func (rec *recording) history(runID string) *historypb.History {
	rec.t.Helper()
	history := &historypb.History{}
	events := rec.client.GetWorkflowHistory(rec.ctx, rec.scenario.name, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(rec.t, err)
		history.Events = append(history.Events, event)
	}
	return history
}

// awaitRunEnd waits for the end of the latest run that the recording started.
func (rec *recording) awaitRunEnd() {
	rec.t.Helper()
	// The error is that of the run.
	_ = rec.client.GetWorkflow(rec.ctx, rec.scenario.name, rec.runIDs[len(rec.runIDs)-1]).GetWithOptions(rec.ctx, nil, client.WorkflowRunGetOptions{DisableFollowingRuns: true})
}

// resetToFirst resets the job to its first workflow task, resetToLast to its last
// one, as "temporal workflow reset" does. A running run is terminated.
func (rec *recording) resetToFirst() {
	rec.t.Helper()
	rec.reset(rec.workflowTasks()[0])
}

func (rec *recording) resetToLast() {
	rec.t.Helper()
	tasks := rec.workflowTasks()
	rec.reset(tasks[len(tasks)-1])
}

// workflowTasks are the completed workflow tasks of the latest run.
func (rec *recording) workflowTasks() (eventIDs []int64) {
	for _, event := range rec.history(rec.runIDs[len(rec.runIDs)-1]).GetEvents() {
		if event.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
			eventIDs = append(eventIDs, event.GetEventId())
		}
	}
	return eventIDs
}

// resetBefore resets the job to the workflow task after that which scheduled the
// nth call of an activity, from 0: the new run has a copy of the schedule.
func (rec *recording) resetBefore(name string, nth int) {
	rec.t.Helper()
	var scheduled int64
	for _, event := range rec.history(rec.runIDs[len(rec.runIDs)-1]).GetEvents() {
		if event.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName() != name {
			continue
		}
		if nth == 0 {
			scheduled = event.GetEventId()
		}
		nth--
	}
	for _, eventID := range rec.workflowTasks() {
		if scheduled > 0 && eventID > scheduled {
			rec.reset(eventID)
			return
		}
	}
	require.Fail(rec.t, "no workflow task follows the schedule", name)
}

func (rec *recording) reset(point int64) {
	rec.t.Helper()
	latest := rec.runIDs[len(rec.runIDs)-1]
	reset, err := rec.client.WorkflowService().ResetWorkflowExecution(rec.ctx, &workflowservice.ResetWorkflowExecutionRequest{
		Namespace:                 namespace,
		WorkflowExecution:         &commonpb.WorkflowExecution{WorkflowId: rec.scenario.name, RunId: latest},
		Reason:                    "an operator resets the job",
		WorkflowTaskFinishEventId: point,
		RequestId:                 rec.scenario.name + latest,
		Identity:                  "lumaflow",
	})
	require.NoError(rec.t, err)
	rec.runIDs = append(rec.runIDs, reset.GetRunId())
}

// resetEvidence pauses the submission and unpauses it with its attempts and
// heartbeats reset, as "temporal activity unpause --reset-attempts
// --reset-heartbeats" does.
func (rec *recording) resetEvidence() {
	rec.t.Helper()
	described, err := rec.client.DescribeWorkflow(rec.ctx, rec.scenario.name, "")
	require.NoError(rec.t, err)
	require.Len(rec.t, described.RawResponse.GetPendingActivities(), 1)
	execution := &commonpb.WorkflowExecution{WorkflowId: rec.scenario.name}
	id := described.RawResponse.GetPendingActivities()[0].GetActivityId()
	_, err = rec.client.WorkflowService().PauseActivity(rec.ctx, &workflowservice.PauseActivityRequest{
		Namespace: namespace, Execution: execution, Identity: "lumaflow",
		Activity: &workflowservice.PauseActivityRequest_Id{Id: id},
	})
	require.NoError(rec.t, err)
	_, err = rec.client.WorkflowService().UnpauseActivity(rec.ctx, &workflowservice.UnpauseActivityRequest{
		Namespace: namespace, Execution: execution, Identity: "lumaflow",
		Activity:      &workflowservice.UnpauseActivityRequest_Id{Id: id},
		ResetAttempts: true, ResetHeartbeat: true,
	})
	require.NoError(rec.t, err)
}

func (rec *recording) terminate() {
	rec.t.Helper()
	require.NoError(rec.t, rec.client.TerminateWorkflow(rec.ctx, rec.scenario.name, "", "an operator ends the job"))
}
