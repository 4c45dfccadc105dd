package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/dustin/go-humanize/english"
	deploymentpb "go.temporal.io/api/deployment/v1"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"

	"lumaflow/internal/temporal/pollers"
	"lumaflow/worker"
	"lumaflow/workflows"
)

// checkWorkers checks the task queue of everything but submissions.
func (e *examination) checkWorkers(ctx context.Context) Finding {
	jobs, problem := e.polling(ctx, e.TaskQueue, enumspb.TASK_QUEUE_TYPE_WORKFLOW)
	if problem == nil {
		problem = jobs.problem("jobs")
	}
	if problem != nil {
		return *problem
	}
	others, problem := e.polling(ctx, e.TaskQueue, enumspb.TASK_QUEUE_TYPE_ACTIVITY)
	switch {
	case problem != nil:
		return *problem
	case others.alive == 0:
		return warnf("%s task queue %s, but not for downloads and polls at the moment, so all activity slots may be taken: start another worker",
			jobs.workers(), jobs.queue)
	}
	return okf("%s task queue %s", jobs.workers(), jobs.queue)
}

// checkSubmissions checks the task queue of submissions.
func (e *examination) checkSubmissions(ctx context.Context) Finding {
	submissions, problem := e.polling(ctx, workflows.SubmitTaskQueue(e.TaskQueue), enumspb.TASK_QUEUE_TYPE_ACTIVITY)
	if problem == nil {
		problem = submissions.problem("submissions")
	}
	if problem != nil {
		return *problem
	}
	return okf("%s task queue %s", submissions.workers(), submissions.queue)
}

// polling summarizes the pollers of a task queue. The finding is nil unless they
// can't be listed.
func (e *examination) polling(ctx context.Context, queue string, kind enumspb.TaskQueueType) (polling, *Finding) {
	if e.TaskQueue == "" {
		return polling{}, new(e.skipped("settings", e.Pace(), "TASK_QUEUE is empty"))
	}
	temporal, err := e.temporal()
	if err != nil {
		return polling{}, new(e.skipped("temporal", err, "Temporal can't be used"))
	}
	server, _ := e.server()
	answer, err := pollers.Queue{Service: temporal.WorkflowService(), Namespace: server.Namespace, Name: queue, Type: kind}.Describe(ctx)
	if err != nil {
		return polling{}, new(warnf("the pollers can't be listed (%s): see the task queue in the Temporal UI", brief(err)))
	}
	return summarize(queue, answer), nil
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

// problem explains why no worker takes the tasks of the queue; nil if one does.
func (p polling) problem(what string) *Finding {
	switch {
	case p.receiving > 0:
		return nil
	case p.inactive.GetWorkerVersioningMode() == enumspb.WORKER_VERSIONING_MODE_VERSIONED:
		return new(failf("%s task queue %s, but their version gets no new %s: `%s`",
			p.workers(), p.queue, what, worker.SetCurrent(p.inactive.GetDeploymentName(), p.inactive.GetBuildId())))
	case p.alive > 0:
		return new(failf("%s task queue %s without a version, but new %s go to the current version: start its workers", p.workers(), p.queue, what))
	}
	last := ""
	if p.lastPoll > 0 {
		last = fmt.Sprintf(", the last poll was %s ago", p.lastPoll.Round(time.Second))
	}
	return new(failf("no worker polls task queue %s for %s%s: start one with `lumaflow worker`", p.queue, what, last))
}

// workers is the subject and the verb of a sentence.
func (p polling) workers() string {
	return english.Plural(p.alive, "worker polls", "workers poll")
}
