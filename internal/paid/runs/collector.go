package runs

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/client"

	"lumaflow/internal/paid"
)

// modifyVideoName is the workflow type of jobs.
const modifyVideoName = "ModifyVideo"

// CollectorID is the id of the job that collects a task. One task has one, so that
// it is collected once however often proof of it arrives.
func CollectorID(taskID string) string { return JobID("adopt", taskID, "") }

// JobID derives a job id from the fields that identify the job: the first half of
// the SHA-256 over the fields, each prefixed with its length as 8 bytes,
// big-endian, so that different lists of fields differ.
func JobID(fields ...string) string {
	hash := sha256.New()
	for _, field := range fields {
		hash.Write(binary.BigEndian.AppendUint64(nil, uint64(len(field))))
		hash.Write([]byte(field))
	}
	return "luma-" + hex.EncodeToString(hash.Sum(nil)[:sha256.Size/2])
}

// Starter is the part of client.Client that starts collecting jobs.
type Starter interface {
	Server
	ExecuteWorkflow(ctx context.Context, options client.StartWorkflowOptions, workflow any, args ...any) (client.WorkflowRun, error)
	TerminateWorkflow(ctx context.Context, workflowID, runID, reason string, details ...any) error
}

// Collector starts the job that collects a paid task of a job that is over.
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
	// Collecting means that a job collects the task, or has collected it.
	Collecting Outcome = "collecting"
	// Stored means that the job itself has an end for the task: its video is stored,
	// or it has none.
	Stored Outcome = "stored"
	// AtRisk means that a person ended the job, so that its task is not collected: it
	// is listed as a paid task without a stored video.
	AtRisk Outcome = "at risk"
)

// Collect handles proof that a job which is over has paid for a task. It is
// idempotent for each task and costs nothing. An error means that the proof must be
// delivered again.
func (c Collector) Collect(ctx context.Context, workflowID, taskID string) (Outcome, error) {
	taskQueue := c.TaskQueue
	described, err := c.Starter.DescribeWorkflow(ctx, workflowID, "")
	switch {
	case notFound(err):
		return Collecting, c.start(ctx, taskQueue, taskID)
	case err != nil:
		return "", fmt.Errorf("describe %s: %w", workflowID, err)
	}
	info := described.RawResponse.GetWorkflowExecutionInfo()
	facts, err := c.Reader.Facts(ctx, info)
	if err != nil && !notFound(err) {
		return "", err
	}
	if facts.TaskID == taskID && !facts.PaidOpen {
		return Stored, nil
	}
	if queue := info.GetTaskQueue(); queue != "" {
		taskQueue = queue
	}
	if endedByPerson(info, facts) {
		return AtRisk, c.mark(ctx, taskQueue, workflowID, taskID)
	}
	return Collecting, c.start(ctx, taskQueue, taskID)
}

// endedByPerson reports whether an operator ended the job: late proof does not
// overrule that.
func endedByPerson(info *workflowpb.WorkflowExecutionInfo, facts paid.Facts) bool {
	switch info.GetStatus() {
	case enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED:
		return true
	default:
		return facts.WrittenOff
	}
}

// start starts the collecting job unless it is open or has completed.
func (c Collector) start(ctx context.Context, taskQueue, taskID string) error {
	_, err := c.Starter.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                       CollectorID(taskID),
		TaskQueue:                taskQueue,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
		StaticSummary:            "collect task " + taskID,
	}, modifyVideoName, taskRef{TaskID: taskID})
	if err != nil && !alreadyStarted(err) {
		return fmt.Errorf("start the job that collects task %s: %w", taskID, err)
	}
	return nil
}

// markDelay keeps a marked job from its first workflow task until it is
// terminated, also if this process ends in between.
const markDelay = 14 * 24 * time.Hour

// mark records a task that is not to be collected as the memo of a collecting job
// that never runs. The list of paid videos without a file then has it, and
// `lumaflow submit --task-id` starts that job anew.
func (c Collector) mark(ctx context.Context, taskQueue, workflowID, taskID string) error {
	const reason = "a person ended the job that paid for the task"
	run, err := c.Starter.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                                       CollectorID(taskID),
		TaskQueue:                                taskQueue,
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		StartDelay:                               markDelay,
		StaticSummary:                            "task " + taskID + " is not collected: " + reason,
		Memo: map[string]any{paid.MemoKey: paid.Facts{
			TaskID: taskID, PaidOpen: true, EndedAt: time.Now().UTC(), Next: "lumaflow submit --task-id " + taskID,
		}},
	}, modifyVideoName, taskRef{TaskID: taskID})
	if alreadyStarted(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("record task %s of %s: %w", taskID, workflowID, err)
	}
	if err := c.Starter.TerminateWorkflow(ctx, run.GetID(), run.GetRunID(), reason+" "+workflowID+"; collect it with: lumaflow submit --task-id "+taskID); err != nil {
		return fmt.Errorf("record task %s of %s: %w", taskID, workflowID, err)
	}
	return nil
}

func alreadyStarted(err error) bool {
	_, is := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err)
	return is
}
