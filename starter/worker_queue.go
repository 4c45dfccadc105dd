package starter

import (
	"context"
	"strings"

	deploymentpb "go.temporal.io/api/deployment/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"lumaflow/internal/oneline"
	"lumaflow/internal/paid/runs"
	"lumaflow/internal/temporal/pollers"
	"lumaflow/workflows"
)

// workerQueue selects the workers that can serve a job: those of its task queue
// and, if the job is pinned, of its version.
type workerQueue struct {
	name string
	// version is nil if any version can serve the job.
	version *deploymentpb.WorkerDeploymentVersion
}

func queueOf(described *workflowservice.DescribeWorkflowExecutionResponse) workerQueue {
	info := described.GetWorkflowExecutionInfo()
	return workerQueue{info.GetTaskQueue(), pinnedVersion(info.GetVersioningInfo())}
}

// pinnedVersion is the version of a pinned job. The override of an operator takes
// precedence over the behavior that the workflow declares.
func pinnedVersion(info *workflowpb.WorkflowExecutionVersioningInfo) *deploymentpb.WorkerDeploymentVersion {
	override := info.GetVersioningOverride()
	switch {
	case override.GetPinned().GetVersion() != nil:
		return override.GetPinned().GetVersion()
	case override.GetAutoUpgrade(), info.GetBehavior() != enumspb.VERSIONING_BEHAVIOR_PINNED:
		return nil
	default:
		return info.GetDeploymentVersion()
	}
}

// servedBy reports whether a poller is a worker that can serve the job.
func (q workerQueue) servedBy(poller *taskqueuepb.PollerInfo) bool {
	options := poller.GetDeploymentOptions()
	return q.version == nil ||
		options.GetWorkerVersioningMode() == enumspb.WORKER_VERSIONING_MODE_VERSIONED &&
			options.GetDeploymentName() == q.version.GetDeploymentName() && options.GetBuildId() == q.version.GetBuildId()
}

// NoWorker describes the task queue of new jobs if no worker polls it, with the
// command that starts one. It is empty if a worker does, or if Temporal does not
// answer.
func (s *Starter) NoWorker(ctx context.Context) string {
	return s.noWorkerNote(ctx, workerQueue{name: s.taskQueue})
}

// noWorkerNote is NoWorker for the workers of one job.
func (s *Starter) noWorkerNote(ctx context.Context, queue workerQueue) string {
	found, err := pollers.Queue{
		Service: s.temporal.WorkflowService(), Namespace: s.namespace, Name: queue.name, Type: enumspb.TASK_QUEUE_TYPE_WORKFLOW,
	}.Any(ctx, queue.servedBy)
	if found || err != nil {
		return ""
	}
	start := "lumaflow worker"
	if queue.name != workflows.DefaultTaskQueue {
		start += " --task-queue " + oneline.Clean(queue.name)
	}
	if queue.version == nil {
		return "no worker is polling task queue " + oneline.Clean(queue.name) + "; start one with: " + start
	}
	name, build := oneline.Clean(queue.version.GetDeploymentName()), oneline.Clean(queue.version.GetBuildId())
	return "the job is pinned to version " + build + " of deployment " + name + ", and no worker of it is polling task queue " + oneline.Clean(queue.name) +
		"; start one of that build with: " + start + " --deployment-name " + name + " --build-id " + build
}

// workflowTaskNote describes the failure of a job's workflow task, if that is why
// the query failed. Query errors lack the failure, so it comes from the history.
func (s *Starter) workflowTaskNote(ctx context.Context, described *workflowservice.DescribeWorkflowExecutionResponse, queryErr error) string {
	if !is[*serviceerror.WorkflowNotReady](queryErr) && described.GetPendingWorkflowTask().GetAttempt() < 2 {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	var last *failurepb.Failure
	run := described.GetWorkflowExecutionInfo().GetExecution()
	events := s.temporal.GetWorkflowHistory(ctx, run.GetWorkflowId(), run.GetRunId(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return ""
		}
		switch event.GetEventType() {
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED:
			last = event.GetWorkflowTaskFailedEventAttributes().GetFailure()
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
			last = nil
		}
	}
	if last == nil {
		return ""
	}
	return "its workflow task fails in the workers: " + queueOf(described).explain(runs.Innermost(s.of(run.GetWorkflowId()).Failures.FailureToError(last)))
}

// nondeterminism is the SDK's code for a history that the worker's code does not
// match.
const nondeterminism = "[TMPRL1100]"

// explain adds the next step to an error of a worker that runs other code than the
// job began with. A pinned job is served by its own version alone, so there the code
// of the version has changed.
func (q workerQueue) explain(text string) string {
	if !strings.Contains(text, nondeterminism) {
		return text
	}
	build := "the build that it began with"
	if q.version != nil {
		build += " as version " + oneline.Clean(q.version.GetBuildId()) + " of deployment " + oneline.Clean(q.version.GetDeploymentName()) +
			"; other code needs another TEMPORAL_WORKER_BUILD_ID"
	}
	return text + "; the workers run other code than the job began with: stop them and start " + build
}
