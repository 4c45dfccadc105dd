package doctor

import (
	"context"
	"fmt"
	"time"

	deploymentpb "go.temporal.io/api/deployment/v1"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"lumaflow/internal/temporal/pollers"
	"lumaflow/worker"
	"lumaflow/workflows"
)

// checkWorkers checks the task queue of everything but submissions.
func (e *examination) checkWorkers(ctx context.Context) Finding {
	return e.polled(ctx, e.TaskQueue, func(describe func(enumspb.TaskQueueType) (polling, error)) Finding {
		jobs, err := describe(enumspb.TASK_QUEUE_TYPE_WORKFLOW)
		if err != nil {
			return pollersUnknown(err)
		}
		if problem, ok := jobs.problem("jobs"); !ok {
			return problem
		}
		others, err := describe(enumspb.TASK_QUEUE_TYPE_ACTIVITY)
		switch {
		case err != nil:
			return pollersUnknown(err)
		case others.alive == 0:
			return warnf("%s task queue %s, but not for downloads and polls at the moment, so all activity slots may be taken: start another worker",
				jobs.workers(), jobs.queue)
		}
		return okf("%s task queue %s", jobs.workers(), jobs.queue)
	})
}

// checkSubmissions checks the task queue of submissions.
func (e *examination) checkSubmissions(ctx context.Context) Finding {
	return e.polled(ctx, workflows.SubmitTaskQueue(e.TaskQueue), func(describe func(enumspb.TaskQueueType) (polling, error)) Finding {
		submissions, err := describe(enumspb.TASK_QUEUE_TYPE_ACTIVITY)
		if err != nil {
			return pollersUnknown(err)
		}
		if problem, ok := submissions.problem("submissions"); !ok {
			return problem
		}
		return okf("%s task queue %s", submissions.workers(), submissions.queue)
	})
}

func (e *examination) polled(ctx context.Context, queue string, check func(describe func(enumspb.TaskQueueType) (polling, error)) Finding) Finding {
	if e.TaskQueue == "" {
		return e.skipped("settings", e.Pace(), "TASK_QUEUE is empty")
	}
	return e.inNamespace(func(temporal client.Client, namespace string) Finding {
		return check(func(kind enumspb.TaskQueueType) (polling, error) {
			answer, err := pollers.Queue{Service: temporal.WorkflowService(), Namespace: namespace, Name: queue, Type: kind}.Describe(ctx)
			return summarize(queue, answer), err
		})
	})
}

func pollersUnknown(err error) Finding {
	return warnf("the pollers can't be listed (%s): see the task queue in the Temporal UI", brief(err))
}

// polling summarizes the pollers of a task queue for tasks of one kind.
type polling struct {
	queue string
	// alive counts the workers with a recent poll, receiving those of them that get
	// new jobs.
	alive, receiving int
	// lastPoll is the time since the last poll of a worker that is not alive; zero
	// if there is none.
	lastPoll time.Duration
	// inactive is a version that polls and gets no new jobs.
	inactive *deploymentpb.WorkerDeploymentOptions
}

func summarize(queue string, answer *workflowservice.DescribeTaskQueueResponse) polling {
	p := polling{queue: queue}
	for _, poller := range answer.GetPollers() {
		switch {
		case !pollers.Alive(poller):
			if silent := pollers.Age(poller); p.lastPoll == 0 || silent < p.lastPoll {
				p.lastPoll = silent
			}
			continue
		case takesNewJobs(poller.GetDeploymentOptions(), answer.GetVersioningInfo()):
			p.receiving++
		default:
			p.inactive = poller.GetDeploymentOptions()
		}
		p.alive++
	}
	return p
}

// takesNewJobs reports whether Temporal gives new jobs to workers of a version.
func takesNewJobs(options *deploymentpb.WorkerDeploymentOptions, versions *taskqueuepb.TaskQueueVersioningInfo) bool {
	if options.GetWorkerVersioningMode() != enumspb.WORKER_VERSIONING_MODE_VERSIONED {
		return versions.GetCurrentDeploymentVersion() == nil
	}
	for _, version := range []*deploymentpb.WorkerDeploymentVersion{versions.GetCurrentDeploymentVersion(), versions.GetRampingDeploymentVersion()} {
		if version != nil && version.GetDeploymentName() == options.GetDeploymentName() && version.GetBuildId() == options.GetBuildId() {
			return true
		}
	}
	return false
}

// problem explains why no worker takes the tasks of the queue; ok if one does.
func (p polling) problem(what string) (finding Finding, ok bool) {
	switch {
	case p.receiving > 0:
		return Finding{}, true
	case p.inactive.GetWorkerVersioningMode() == enumspb.WORKER_VERSIONING_MODE_VERSIONED:
		return failf("%s task queue %s, but their version gets no new %s: `%s`",
			p.workers(), p.queue, what, worker.SetCurrent(p.inactive.GetDeploymentName(), p.inactive.GetBuildId())), false
	case p.alive > 0:
		return failf("%s task queue %s without a version, but new %s go to the current version: start its workers", p.workers(), p.queue, what), false
	case p.lastPoll > 0:
		return failf("no worker polls task queue %s for %s, the last poll was %s ago: start one with `lumaflow worker`", p.queue, what, p.lastPoll.Round(time.Second)), false
	default:
		return failf("no worker polls task queue %s for %s: start one with `lumaflow worker`", p.queue, what), false
	}
}

// workers is the subject and the verb of a sentence.
func (p polling) workers() string {
	if p.alive == 1 {
		return "1 worker polls"
	}
	return fmt.Sprintf("%d workers poll", p.alive)
}
