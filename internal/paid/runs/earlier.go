package runs

import (
	"cmp"
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

// Earlier reads all runs of the chain of a run but the run itself, and the runs of
// later chains of the same job: a run of an older chain may be reset after a later one
// has paid. Temporal has no list of a chain: the links in the histories lack runs that
// an older one was reset past, and visibility lacks deleted runs and, for moments, the
// youngest. So both are read. An error means that the answer is not complete: a run
// that is not listed yet, or a history that this worker can't decrypt.
func (r Reader) Earlier(ctx context.Context, workflowID, runID string) (Earlier, error) {
	described, err := r.Server.DescribeWorkflow(ctx, workflowID, runID)
	if err != nil {
		return Earlier{}, fmt.Errorf("describe %s: %w", workflowID, err)
	}
	info := described.RawResponse.GetWorkflowExecutionInfo()
	chain := chain{
		reader: r, workflowID: workflowID, firstRunID: info.GetFirstRunId(), seen: map[string]bool{runID: true},
		startedAt: cmp.Or(described.RawResponse.GetWorkflowExtendedInfo().GetOriginalStartTime(), info.GetStartTime()).AsTime(),
	}
	own, err := r.History(ctx, workflowID, runID)
	if err != nil {
		return Earlier{}, err
	}
	if own.undecrypted != nil {
		return Earlier{}, fmt.Errorf("read run %s of %s: %w", runID, workflowID, own.undecrypted)
	}
	pending := append([]string{chain.firstRunID}, own.previous...)
	listed, err := r.All(ctx, workflowID)
	if err != nil {
		return Earlier{}, err
	}
	listsOwn := false
	for _, info := range listed {
		pending = append(pending, info.GetExecution().GetRunId())
		listsOwn = listsOwn || info.GetExecution().GetRunId() == runID
	}
	if !listsOwn {
		return Earlier{}, fmt.Errorf("visibility does not list run %s of %s yet", runID, workflowID)
	}
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
	// startedAt is the start of the first run.
	startedAt time.Time
	seen      map[string]bool
	runs      []chainRun
	// later are the runs of later chains.
	later []chainRun
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
	if NotFound(err) {
		c.unread = append(c.unread, runID)
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("describe run %s of %s: %w", runID, c.workflowID, err)
	}
	info := described.RawResponse.GetWorkflowExecutionInfo()
	if runID == c.firstRunID {
		c.startedAt = info.GetStartTime().AsTime()
	}
	own := info.GetFirstRunId() == c.firstRunID
	if !own && info.GetStartTime().AsTime().Before(c.startedAt) {
		return nil, nil
	}
	history, err := c.reader.History(ctx, c.workflowID, runID)
	if NotFound(err) {
		c.unread = append(c.unread, runID)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if history.undecrypted != nil {
		return nil, fmt.Errorf("read run %s of %s: %w", runID, c.workflowID, history.undecrypted)
	}
	run := chainRun{startedAt: info.GetStartTime().AsTime(), history: history}
	if !own {
		c.later = append(c.later, run)
		return nil, nil
	}
	c.runs = append(c.runs, run)
	return history.previous, nil
}

// earlier merges the runs, the oldest first. Those of later chains count if the own
// chain has no task: else they are further takes, with jobs of their own.
func (c *chain) earlier(runID string) Earlier {
	merged := c.merge(runID, c.runs)
	if len(merged.Tasks) == 0 && len(c.later) > 0 {
		merged = c.merge(runID, append(c.runs, c.later...))
	}
	return merged
}

func (c *chain) merge(runID string, runs []chainRun) Earlier {
	slices.SortFunc(runs, func(a, b chainRun) int { return a.startedAt.Compare(b.startedAt) })
	merged := Earlier{RunID: runID, Runs: len(runs)}
	var all outcomes
	for _, run := range runs {
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
