package runs

import (
	"cmp"
	"context"
	"fmt"
	"time"
)

// Earlier is what the earlier runs of a chain have paid. A chain is a run with all
// its retries, resets and continuations.
type Earlier struct {
	// RunID is the run that asked. Only that run may act on the answer: a reset of it
	// copies the answer into a run that it is not about.
	RunID string `json:"runId"`
	// Runs counts the earlier runs.
	Runs int `json:"runs"`
	// Tasks are the paid tasks, the oldest first.
	Tasks []Task `json:"tasks,omitempty"`
	// Unknown are the submissions with an unknown outcome, the oldest first. Those of
	// a run that can't be read come first and have no time.
	Unknown []Submission `json:"unknown,omitempty"`
	// Unread is a run that Temporal has deleted: what it paid is unknown. Of several it
	// is the last one read.
	Unread string `json:"unread,omitempty"`
}

// Task is a paid task.
type Task struct {
	TaskID      string    `json:"taskId"`
	SubmittedAt time.Time `json:"submittedAt,omitzero"`
}

// Earlier reads all runs of the chain of a run but the run itself, and the runs of
// later chains of the same job: a run of an older chain may be reset after a later one
// has paid. Temporal has no list of a chain: the links in the histories lack runs that
// an older one was reset past, and visibility lacks deleted runs and, for moments, the
// youngest. So both are read. An error means that the answer is not complete: a run
// that is not listed yet, or a history that this worker can't decrypt.
//
// It continues from the progress of an earlier call, and calls keep with its own after
// each run: a closed run does not change. The zero Progress begins.
func (r Reader) Earlier(ctx context.Context, workflowID, runID string, from Progress, keep func(Progress)) (Earlier, error) {
	described, err := r.Server.DescribeWorkflow(ctx, workflowID, runID)
	if err != nil {
		return Earlier{}, fmt.Errorf("describe %s: %w", workflowID, err)
	}
	info := described.RawResponse.GetWorkflowExecutionInfo()
	chain := newChain(r, workflowID, runID, info.GetFirstRunId(), from)
	if chain.read.StartedAt.IsZero() {
		chain.read.StartedAt = cmp.Or(described.RawResponse.GetWorkflowExtendedInfo().GetOriginalStartTime(), info.GetStartTime()).AsTime()
	}
	own, err := r.History(ctx, workflowID, runID)
	if err != nil {
		return Earlier{}, err
	}
	if own.undecrypted != nil {
		return Earlier{}, fmt.Errorf("read run %s of %s: %w", runID, workflowID, own.undecrypted)
	}
	listed, err := r.All(ctx, workflowID)
	if err != nil {
		return Earlier{}, err
	}
	pending, listsOwn := append([]string{chain.firstRunID}, own.previous...), false
	for _, info := range listed {
		pending = append(pending, info.GetExecution().GetRunId())
		listsOwn = listsOwn || info.GetExecution().GetRunId() == runID
	}
	if !listsOwn {
		return Earlier{}, fmt.Errorf("visibility does not list run %s of %s yet", runID, workflowID)
	}
	for _, next := range pending {
		if err := chain.follow(ctx, next, keep); err != nil {
			return Earlier{}, err
		}
	}
	return chain.read.earlier(runID), nil
}

// First is the first run of the chain of a run; empty if the server does not report
// it.
func (r Reader) First(ctx context.Context, workflowID, runID string) (firstRunID string, err error) {
	described, err := r.Server.DescribeWorkflow(ctx, workflowID, runID)
	if err != nil {
		return "", fmt.Errorf("describe %s: %w", workflowID, err)
	}
	return described.RawResponse.GetWorkflowExecutionInfo().GetFirstRunId(), nil
}
