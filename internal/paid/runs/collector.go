package runs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/client"
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
	info, err := c.latest(ctx, c.workflowID)
	if err != nil {
		return "", err
	}
	if open(info) {
		return "", ErrOpen
	}
	c.TaskQueue = cmp.Or(info.GetTaskQueue(), c.TaskQueue)
	job, err := c.read(ctx, info)
	switch {
	case err != nil:
		return "", err
	case job.endOf(c.taskID) != noEnd:
		return Stored, nil
	}
	outcome, err := c.known(ctx)
	if err == nil && outcome == "" {
		outcome, err = c.listed(ctx, info)
	}
	switch {
	case err != nil || outcome != "":
		return outcome, err
	case !endedByPerson(job):
		return Collecting, c.start(ctx)
	case job.Facts.PaidOpen && job.Facts.Names(c.taskID):
		return AtRisk, nil
	default:
		return c.mark(ctx)
	}
}

// known is the outcome that the collecting job itself stands for; empty if it has
// to be started: there is none, or it has failed.
func (c collection) known(ctx context.Context) (Outcome, error) {
	collector, err := c.latest(ctx, CollectorID(c.taskID))
	switch {
	case err != nil || collector == nil:
		return "", err
	case IsMark(collector):
		return AtRisk, c.endMark(ctx, collector.GetExecution().GetRunId())
	case open(collector):
		return Collecting, nil
	case collector.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		return Stored, nil
	case endedByPerson(Run{Info: collector}):
		return AtRisk, nil
	default:
		return "", nil
	}
}

const (
	// maxClaims bounds the runs that are read for one proof.
	maxClaims = 30
	// claimsTimeout leaves the rest of a delivery's time to the start of the
	// collecting job.
	claimsTimeout = 3 * time.Second
)

// listed is the outcome that another run stands for; empty if there is none: an
// earlier run of the job, as one that was reset after it had stored the video, or
// another job that has the task. To collect a task twice costs nothing, so that a
// proof does not depend on lists.
func (c collection) listed(ctx context.Context, latest *workflowpb.WorkflowExecutionInfo) (Outcome, error) {
	listing, cancel := context.WithTimeout(ctx, claimsTimeout)
	defer cancel()
	claims, err := c.Reader.claims(listing, c.workflowID, c.taskID)
	if err != nil {
		return "", nil //nolint:nilerr // as if there were no other run
	}
	seen := map[string]bool{CollectorID(c.taskID): true, latest.GetExecution().GetRunId(): true}
	for _, info := range claims {
		id, runID := info.GetExecution().GetWorkflowId(), info.GetExecution().GetRunId()
		if seen[id] || seen[runID] {
			continue
		}
		seen[runID] = true
		if id != c.workflowID {
			// Lists lag behind.
			seen[id] = true
			if info, err = c.latest(ctx, id); err != nil {
				return "", err
			}
			if open(info) {
				return Collecting, nil
			}
		}
		if run, err := c.read(ctx, info); err != nil || run.endOf(c.taskID) != noEnd {
			return Stored, err
		}
	}
	return "", nil
}

// start starts the collecting job. It leaves one that is open or has completed.
func (c collection) start(ctx context.Context) error {
	_, err := c.Starter.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                       CollectorID(c.taskID),
		TaskQueue:                c.TaskQueue,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
		StaticSummary:            Summary("collect task " + c.taskID),
	}, modifyVideoName, taskRef{TaskID: c.taskID})
	if err != nil && !AlreadyStarted(err) {
		return fmt.Errorf("start the collecting job: %w", err)
	}
	return nil
}

// latest is the latest run of a job; nil if there is none.
func (c collection) latest(ctx context.Context, workflowID string) (*workflowpb.WorkflowExecutionInfo, error) {
	described, err := c.Starter.DescribeWorkflow(ctx, workflowID, "")
	if NotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("describe %s: %w", workflowID, err)
	}
	return described.RawResponse.GetWorkflowExecutionInfo(), nil
}

// read reads a run that is over. It is empty if the run is deleted.
func (c collection) read(ctx context.Context, info *workflowpb.WorkflowExecutionInfo) (Run, error) {
	if info == nil {
		return Run{}, nil
	}
	run, err := c.Reader.Run(ctx, info)
	if NotFound(err) {
		return Run{Info: info}, nil
	}
	return run, err
}

// endedByPerson reports whether an operator ended the job: late proof does not
// overrule that.
func endedByPerson(run Run) bool {
	switch run.Info.GetStatus() {
	case enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED:
		return true
	default:
		return run.Facts.WrittenOff
	}
}

// AlreadyStarted reports whether a start was rejected because a run has the id.
func AlreadyStarted(err error) bool {
	_, is := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err)
	return is
}
