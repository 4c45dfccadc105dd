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

// lookAtWorkers is about the task queue of everything but submissions.
func (e *examination) lookAtWorkers(ctx context.Context) Finding {
	return e.polled(ctx, e.TaskQueue, func(ask func(enumspb.TaskQueueType) (polling, error)) Finding {
		jobs, err := ask(enumspb.TASK_QUEUE_TYPE_WORKFLOW)
		if err != nil {
			return unasked(err)
		}
		if problem, ok := jobs.problem("jobs"); !ok {
			return problem
		}
		others, err := ask(enumspb.TASK_QUEUE_TYPE_ACTIVITY)
		switch {
		case err != nil:
			return unasked(err)
		case others.alive == 0:
			return warnf("%s task queue %s, but for no downloads and polls at the moment, as if they had all hands full: start another worker",
				jobs.workers(), jobs.queue)
		}
		return okf("%s task queue %s", jobs.workers(), jobs.queue)
	})
}

// lookAtSubmissions is about the task queue of submissions alone.
func (e *examination) lookAtSubmissions(ctx context.Context) Finding {
	return e.polled(ctx, workflows.SubmitTaskQueue(e.TaskQueue), func(ask func(enumspb.TaskQueueType) (polling, error)) Finding {
		submissions, err := ask(enumspb.TASK_QUEUE_TYPE_ACTIVITY)
		if err != nil {
			return unasked(err)
		}
		if problem, ok := submissions.problem("submissions"); !ok {
			return problem
		}
		return okf("%s task queue %s", submissions.workers(), submissions.queue)
	})
}

func (e *examination) polled(ctx context.Context, queue string, judge func(ask func(enumspb.TaskQueueType) (polling, error)) Finding) Finding {
	if e.TaskQueue == "" {
		return e.skipped("settings", e.Pace(), "TASK_QUEUE is empty")
	}
	return e.inNamespace(func(temporal client.Client, namespace string) Finding {
		return judge(func(kind enumspb.TaskQueueType) (polling, error) {
			answer, err := pollers.Queue{Service: temporal.WorkflowService(), Namespace: namespace, Name: queue, Type: kind}.Describe(ctx)
			return summarize(queue, answer), err
		})
	})
}

func unasked(err error) Finding {
	return warnf("Temporal does not tell who polls (%s): look at the task queue in its UI", said(err))
}

// polling is who polls a task queue for tasks of one kind.
type polling struct {
	queue string
	// alive counts the workers that have been heard of lately, taking those
	// among them that get new jobs.
	alive, taking int
	// idle is how long ago the last one was heard of that is gone; zero if none
	// was.
	idle time.Duration
	// waiting is a version that polls and gets no new jobs.
	waiting *deploymentpb.WorkerDeploymentOptions
}

func summarize(queue string, answer *workflowservice.DescribeTaskQueueResponse) polling {
	p := polling{queue: queue}
	for _, poller := range answer.GetPollers() {
		switch {
		case !pollers.Alive(poller):
			if silent := pollers.Age(poller); p.idle == 0 || silent < p.idle {
				p.idle = silent
			}
			continue
		case takesNewJobs(poller.GetDeploymentOptions(), answer.GetVersioningInfo()):
			p.taking++
		default:
			p.waiting = poller.GetDeploymentOptions()
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

// problem says why nobody takes what waits in the task queue.
func (p polling) problem(what string) (Finding, bool) {
	switch {
	case p.taking > 0:
		return Finding{}, true
	case p.waiting.GetWorkerVersioningMode() == enumspb.WORKER_VERSIONING_MODE_VERSIONED:
		return failf("%s task queue %s, but their version gets no new %s: `%s`",
			p.workers(), p.queue, what, worker.SetCurrent(p.waiting.GetDeploymentName(), p.waiting.GetBuildId())), false
	case p.alive > 0:
		return failf("%s task queue %s without a version, but new %s go to a version that is set as current: start its workers", p.workers(), p.queue, what), false
	case p.idle > 0:
		return failf("no worker polls task queue %s for %s, the last was heard of %s ago: start one with `lumaflow worker`", p.queue, what, p.idle.Round(time.Second)), false
	default:
		return failf("no worker polls task queue %s for %s: start one with `lumaflow worker`", p.queue, what), false
	}
}

// workers begins a sentence about them.
func (p polling) workers() string {
	if p.alive == 1 {
		return "1 worker polls"
	}
	return fmt.Sprintf("%d workers poll", p.alive)
}
