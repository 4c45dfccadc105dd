package starter

import (
	"context"

	deploymentpb "go.temporal.io/api/deployment/v1"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

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
		start += " --task-queue " + plain(queue.name)
	}
	if queue.version == nil {
		return "no worker is polling task queue " + plain(queue.name) + "; start one with: " + start
	}
	name, build := plain(queue.version.GetDeploymentName()), plain(queue.version.GetBuildId())
	return "the job is pinned to version " + build + " of deployment " + name + ", and no worker of it is polling task queue " + plain(queue.name) +
		"; start one of that build with: " + start + " --deployment-name " + name + " --build-id " + build
}
