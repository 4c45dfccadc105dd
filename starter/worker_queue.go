package starter

import (
	deploymentpb "go.temporal.io/api/deployment/v1"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"lumaflow/workflows"
)

// place is where a job's own work is done: on a task queue, and if the job is
// pinned, by workers of one version alone.
type place struct {
	queue   string
	version *deploymentpb.WorkerDeploymentVersion
}

func placeOf(described *workflowservice.DescribeWorkflowExecutionResponse) place {
	return place{taskQueue(described), pinnedTo(described.GetWorkflowExecutionInfo().GetVersioningInfo())}
}

// pinnedTo is the version that a job stays with, nil if it may go to any. What an
// operator has set for the job alone goes before what its workers say.
func pinnedTo(info *workflowpb.WorkflowExecutionVersioningInfo) *deploymentpb.WorkerDeploymentVersion {
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

// polls reports whether a worker that polls works here.
func (p place) polls(poller *taskqueuepb.PollerInfo) bool {
	options := poller.GetDeploymentOptions()
	return p.version == nil ||
		options.GetWorkerVersioningMode() == enumspb.WORKER_VERSIONING_MODE_VERSIONED &&
			options.GetDeploymentName() == p.version.GetDeploymentName() && options.GetBuildId() == p.version.GetBuildId()
}

// noWorker says that nobody works here, and how to start somebody.
func (p place) noWorker() string {
	start := "lumaflow worker"
	if p.queue != workflows.DefaultTaskQueue {
		start += " --task-queue " + plain(p.queue)
	}
	if p.version == nil {
		return "no worker is polling task queue " + plain(p.queue) + "; start one with: " + start
	}
	name, build := plain(p.version.GetDeploymentName()), plain(p.version.GetBuildId())
	return "the job stays with version " + build + " of deployment " + name + ", and no worker of it is polling task queue " + plain(p.queue) +
		"; start one of that build with: " + start + " --deployment-name " + name + " --build-id " + build
}
