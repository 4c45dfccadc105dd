package workflows

import (
	"errors"
	"slices"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
)

// strays are the tasks other than the job's own that callbacks on the job's URL
// named. The record of each is read as the callback arrives. At the end of the job
// those of its own submissions get a job that collects them, at no cost.
type strays struct {
	tasks []*stray
	// settled is the number of tasks whose record was awaited.
	settled int
}

type stray struct {
	taskID string
	// record is the read of kie.ai's record.
	record workflow.Future
}

// has reports whether the record of a task is being read.
func (s *strays) has(taskID string) bool {
	return slices.ContainsFunc(s.tasks, func(known *stray) bool { return known.taskID == taskID })
}

// hasPlace reports whether the record of one more task may be read.
func (s *strays) hasPlace(ctx workflow.Context) bool {
	open := 0
	for _, known := range s.tasks {
		if !known.record.IsReady() || !isDenied(known.record.Get(ctx, nil)) {
			open++
		}
	}
	return open < maxCandidates && len(s.tasks) < maxLookups
}

// addStray reads the record of a task that a callback named. The number of reads is
// bounded, so that a flood of made-up ids costs no more; tasks beyond it are logged.
func (j *job) addStray(ctx workflow.Context, taskID string) {
	if taskID == "" || taskID == j.status.TaskID || j.strays.has(taskID) || !collectsStrays(ctx) {
		return
	}
	if !j.strays.hasPlace(ctx) {
		workflow.GetLogger(ctx).Warn("callbacks name too many tasks: this one is not looked up", "taskId", taskID)
		return
	}
	record := workflow.ExecuteActivity(identifyPolicy(ctx, taskID, 0), a.Identify, activities.IdentifyInput{
		Model:    j.model(),
		TaskID:   taskID,
		Own:      true,
		Prompt:   j.input.Prompt,
		VideoURL: j.input.VideoURL,
		Ended:    true,
	})
	j.strays.tasks = append(j.strays.tasks, &stray{taskID, record})
}

// settleStrays gives every paid task beside the job's own a job that collects it,
// and drops those that are not the job's. The rest is named at the end.
func (j *job) settleStrays(ctx workflow.Context) {
	tried := map[string]bool{}
	for {
		j.drainSignals(ctx)
		if j.strays.settled < len(j.strays.tasks) {
			j.settle(ctx, j.strays.tasks[j.strays.settled])
			j.strays.settled++
			continue
		}
		paidTasks := j.payments.acceptedBeside(j.status.TaskID)
		next := slices.IndexFunc(paidTasks, func(taskID string) bool { return !tried[taskID] })
		if next < 0 || !collectsStrays(ctx) {
			return
		}
		tried[paidTasks[next]] = true
		j.collectStray(ctx, paidTasks[next])
	}
}

func (j *job) collectStray(ctx workflow.Context, taskID string) {
	if err := j.startCollector(ctx, taskID); err != nil {
		workflow.GetLogger(ctx).Warn("no job collects a paid task", "taskId", taskID, "error", err)
		return
	}
	j.payments.setCollected(taskID)
}

// settle waits for the record of a stray.
func (j *job) settle(ctx workflow.Context, named *stray) {
	if named.taskID == j.status.TaskID {
		return
	}
	switch err := named.record.Get(ctx, nil); {
	case err == nil:
		j.payments.dropCandidate(named.taskID)
		j.payments.addAccepted(activities.Evidence{Phase: activities.PhaseAccepted, TaskID: named.taskID})
	case isDenied(err):
		j.payments.dropCandidate(named.taskID)
	default:
		j.payments.addNamed(named.taskID)
	}
}

// nameStrays names the strays that are not settled: those of a job that a person
// ended, which are not collected, and those that arrive in the last moment.
func (j *job) nameStrays(ctx workflow.Context) {
	for _, named := range j.strays.tasks[j.strays.settled:] {
		if named.record.IsReady() {
			j.settle(ctx, named)
		} else {
			j.payments.addNamed(named.taskID)
		}
	}
	j.strays.settled = len(j.strays.tasks)
}

// startCollector starts the job that collects a task, unless it is open or has
// completed. It outlives this one.
func (j *job) startCollector(ctx workflow.Context, taskID string) error {
	ctx = workflow.WithChildOptions(ctx, collectorOptions(taskID))
	err := workflow.ExecuteChildWorkflow(ctx, ModifyVideoName, ModifyVideoInput{TaskID: taskID, Model: j.model(), Name: j.input.Name}).GetChildWorkflowExecution().Get(ctx, nil)
	if _, exists := errors.AsType[*temporal.ChildWorkflowExecutionAlreadyStartedError](err); exists {
		return nil
	}
	return err
}

// collectsStrays is false for runs of a release that only named such tasks.
func collectsStrays(ctx workflow.Context) bool {
	return workflow.GetVersion(ctx, "collect-strays", workflow.DefaultVersion, 1) > workflow.DefaultVersion
}
