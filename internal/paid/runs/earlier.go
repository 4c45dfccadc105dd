package runs

import (
	"context"
	"fmt"
	"slices"
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

// Earlier reads all runs of the chain of a run but the run itself. Temporal has no
// list of a chain: the links in the histories lack runs that an older one was reset
// past, and visibility lacks deleted runs and, for moments, the youngest. So both
// are read.
func (r Reader) Earlier(ctx context.Context, workflowID, runID string) (Earlier, error) {
	firstRunID, err := r.First(ctx, workflowID, runID)
	if err != nil {
		return Earlier{}, err
	}
	chain := chain{reader: r, workflowID: workflowID, firstRunID: firstRunID, seen: map[string]bool{}}
	own, err := r.History(ctx, workflowID, runID)
	if err != nil {
		return Earlier{}, err
	}
	chain.seen[runID] = true
	pending := append(slices.Clone(own.previous), chain.firstRunID)
	listed, err := r.list(ctx, workflowID)
	if err != nil {
		return Earlier{}, err
	}
	pending = append(pending, listed...)
	for len(pending) > 0 {
		next := pending[0]
		pending = pending[1:]
		previous, err := chain.read(ctx, next)
		if err != nil {
			return Earlier{}, err
		}
		// Links come before the list, which would describe them once more.
		pending = append(previous, pending...)
	}
	return chain.earlier(runID), nil
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

// chain collects the runs of one chain.
type chain struct {
	reader     Reader
	workflowID string
	firstRunID string
	seen       map[string]bool
	runs       []chainRun
	// unread are the runs that Temporal has deleted.
	unread []string
}

type chainRun struct {
	startedAt time.Time
	history   History
}

// read adds a run if it belongs to the chain, and returns the runs that it follows.
func (c *chain) read(ctx context.Context, runID string) (previous []string, err error) {
	if runID == "" || c.seen[runID] {
		return nil, nil
	}
	c.seen[runID] = true
	described, err := c.reader.Server.DescribeWorkflow(ctx, c.workflowID, runID)
	if notFound(err) {
		c.unread = append(c.unread, runID)
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("describe run %s of %s: %w", runID, c.workflowID, err)
	}
	info := described.RawResponse.GetWorkflowExecutionInfo()
	if info.GetFirstRunId() != c.firstRunID {
		return nil, nil
	}
	history, err := c.reader.History(ctx, c.workflowID, runID)
	if notFound(err) {
		c.unread = append(c.unread, runID)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c.runs = append(c.runs, chainRun{startedAt: info.GetStartTime().AsTime(), history: history})
	return history.previous, nil
}

// earlier merges the runs, the oldest first.
func (c *chain) earlier(runID string) Earlier {
	slices.SortFunc(c.runs, func(a, b chainRun) int { return a.startedAt.Compare(b.startedAt) })
	merged := Earlier{RunID: runID, Runs: len(c.runs)}
	var all outcomes
	for _, run := range c.runs {
		for _, t := range run.history.tasks {
			named := slices.ContainsFunc(merged.Tasks, func(known Task) bool { return known.TaskID == t.id })
			if t.own && !named {
				merged.Tasks = append(merged.Tasks, Task{TaskID: t.id, SubmittedAt: t.submittedAt})
			}
		}
		all.merge(run.history.outcomes)
	}
	for _, unread := range c.unread {
		merged.Unread = unread
		all.lose(Submission{})
	}
	merged.Unknown = all.unknown()
	return merged
}

// list returns the runs of an id that visibility lists.
func (r Reader) list(ctx context.Context, workflowID string) (runIDs []string, err error) {
	all, err := r.All(ctx, workflowID)
	for _, info := range all {
		runIDs = append(runIDs, info.GetExecution().GetRunId())
	}
	return runIDs, err
}
