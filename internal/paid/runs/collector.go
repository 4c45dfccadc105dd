package runs

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/client"

	"lumaflow/internal/paid"
)

// modifyVideoName is the workflow type of jobs.
const modifyVideoName = "ModifyVideo"

// Starter is the part of client.Client that starts collecting jobs.
type Starter interface {
	Server
	ExecuteWorkflow(ctx context.Context, options client.StartWorkflowOptions, workflow any, args ...any) (client.WorkflowRun, error)
	TerminateWorkflow(ctx context.Context, workflowID, runID, reason string, details ...any) error
}

// Collector starts the job that collects a paid task of a job that is over. It is
// safe for concurrent use.
type Collector struct {
	Starter Starter
	Reader  Reader
	// TaskQueue is the task queue of the collecting job if the job that paid is
	// deleted; else it is that of the job.
	TaskQueue string
}

// Outcome is what Collect did about a task.
type Outcome string

const (
	// Collecting means that a job collects the task.
	Collecting Outcome = "collecting"
	// Stored means that a job has an end for the task: its video is stored, or it has
	// none.
	Stored Outcome = "stored"
	// AtRisk means that a person ended the job, so that its task is not collected: it
	// is listed as a paid task without a stored video.
	AtRisk Outcome = "at risk"
)

// ErrOpen means that the job is open again: the proof belongs to its run.
var ErrOpen = errors.New("the job is open again")

// Collect handles proof that a job which is over has paid for a task. It is
// idempotent for each task and costs nothing. An error means that the proof must be
// delivered again, to the job first.
func (c Collector) Collect(ctx context.Context, workflowID, taskID string) (Outcome, error) {
	collecting := collection{Collector: c, workflowID: workflowID, taskID: taskID}
	outcome, err := collecting.run(ctx)
	if err != nil {
		return "", fmt.Errorf("collect task %s of %s: %w", taskID, workflowID, err)
	}
	return outcome, nil
}

// collection handles one proof.
type collection struct {
	Collector
	workflowID, taskID string
}

func (c collection) run(ctx context.Context) (Outcome, error) {
	job, err := c.latest(ctx, c.workflowID)
	switch {
	case err != nil:
		return "", err
	case job == nil:
		return c.collect(ctx)
	case open(job):
		return "", ErrOpen
	}
	c.TaskQueue = cmp.Or(job.GetTaskQueue(), c.TaskQueue)
	facts, err := c.facts(ctx, job)
	if err != nil {
		return "", err
	}
	ended := facts.hasEnded(c.taskID)
	if !ended {
		ended, err = c.endedEarlier(ctx, job)
	}
	switch {
	case err != nil:
		return "", err
	case ended:
		return Stored, nil
	case !endedByPerson(job, facts.Facts):
		return c.collect(ctx)
	case facts.PaidOpen && facts.Names(c.taskID):
		return AtRisk, nil
	default:
		return c.mark(ctx)
	}
}

// collect starts the collecting job unless another job has the task.
func (c collection) collect(ctx context.Context) (Outcome, error) {
	outcome, err := c.known(ctx)
	if err == nil && outcome == "" {
		outcome, err = c.claimed(ctx)
	}
	if err != nil || outcome != "" {
		return outcome, err
	}
	return Collecting, c.start(ctx)
}

// known is the outcome that the collecting job itself stands for; empty if it has
// to be started: there is none, or it has failed.
func (c collection) known(ctx context.Context) (Outcome, error) {
	collector, err := c.latest(ctx, CollectorID(c.taskID))
	switch {
	case err != nil || collector == nil:
		return "", err
	case marking(collector):
		return AtRisk, c.endMark(ctx, collector.GetExecution().GetRunId())
	case open(collector):
		return Collecting, nil
	case collector.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		return Stored, nil
	case endedByPerson(collector, paid.Facts{}):
		return AtRisk, nil
	default:
		return "", nil
	}
}

// claimed is the outcome that another job which has the task stands for; empty if
// there is none.
func (c collection) claimed(ctx context.Context) (Outcome, error) {
	claimant, err := c.Reader.Claimant(ctx, c.taskID, c.workflowID)
	if err != nil || claimant == "" {
		return "", err
	}
	job, err := c.latest(ctx, claimant)
	switch {
	case err != nil || job == nil:
		return "", err
	case open(job):
		return Collecting, nil
	}
	facts, err := c.facts(ctx, job)
	if err != nil || !facts.hasEnded(c.taskID) {
		return "", err
	}
	return Stored, nil
}

// maxEarlierRuns bounds the runs of a job that are read for one proof.
const maxEarlierRuns = 20

// endedEarlier reports whether an earlier run of the job has an end for the task, for
// example a run that was reset after it had stored the video.
func (c collection) endedEarlier(ctx context.Context, latest *workflowpb.WorkflowExecutionInfo) (bool, error) {
	all, err := c.Reader.All(ctx, c.workflowID)
	if err != nil {
		return false, err
	}
	for _, run := range all[:min(len(all), maxEarlierRuns)] {
		if open(run) || run.GetExecution().GetRunId() == latest.GetExecution().GetRunId() {
			continue
		}
		facts, err := c.facts(ctx, run)
		if err != nil || facts.hasEnded(c.taskID) {
			return err == nil, err
		}
	}
	return false, nil
}

// start starts the collecting job. It leaves one that is open or has completed.
func (c collection) start(ctx context.Context) error {
	_, err := c.Starter.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                       CollectorID(c.taskID),
		TaskQueue:                c.TaskQueue,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
		StaticSummary:            "collect task " + c.taskID,
	}, modifyVideoName, taskRef{TaskID: c.taskID})
	if err != nil && !alreadyStarted(err) {
		return fmt.Errorf("start the collecting job: %w", err)
	}
	return nil
}

// latest is the latest run of a job; nil if there is none.
func (c collection) latest(ctx context.Context, workflowID string) (*workflowpb.WorkflowExecutionInfo, error) {
	described, err := c.Starter.DescribeWorkflow(ctx, workflowID, "")
	if notFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("describe %s: %w", workflowID, err)
	}
	return described.RawResponse.GetWorkflowExecutionInfo(), nil
}

// closedFacts are the payments of a run that is over.
type closedFacts struct{ paid.Facts }

// hasEnded reports whether the run has an end for a task: its stored video, or that
// it has none.
func (f closedFacts) hasEnded(taskID string) bool { return f.TaskID == taskID && !f.PaidOpen }

// facts are zero if the run is deleted.
func (c collection) facts(ctx context.Context, run *workflowpb.WorkflowExecutionInfo) (closedFacts, error) {
	facts, err := c.Reader.Facts(ctx, run)
	if notFound(err) {
		return closedFacts{}, nil
	}
	return closedFacts{facts}, err
}

// endedByPerson reports whether an operator ended the job: late proof does not
// overrule that.
func endedByPerson(job *workflowpb.WorkflowExecutionInfo, facts paid.Facts) bool {
	switch job.GetStatus() {
	case enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED:
		return true
	default:
		return facts.WrittenOff
	}
}

// open reports whether a run accepts signals.
func open(run *workflowpb.WorkflowExecutionInfo) bool {
	switch run.GetStatus() {
	case enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED:
		return true
	default:
		return false
	}
}

func alreadyStarted(err error) bool {
	_, is := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err)
	return is
}
