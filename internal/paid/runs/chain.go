package runs

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Progress is the state from which Earlier continues. It grows by about 40 bytes with
// each run, and by the payments of the run. No element of its slices changes once it is
// kept, so that it may be encoded while Earlier continues to read.
type Progress struct {
	// Read are the ids of the runs that are read, Links those that a read run follows
	// and that are not read yet.
	Read  []string `json:"read,omitempty"`
	Links []string `json:"links,omitempty"`
	// StartedAt is the start of the first run of the chain.
	StartedAt time.Time `json:"startedAt,omitzero"`
	// Chain are the payments of the chain, Later those of later chains.
	Chain payments `json:"chain,omitzero"`
	Later payments `json:"later,omitzero"`
	// Deleted counts the runs that Temporal has deleted, LastDeleted is one of them.
	Deleted     int    `json:"deleted,omitempty"`
	LastDeleted string `json:"lastDeleted,omitempty"`
}

// payments are those of several runs.
type payments struct {
	Runs     int       `json:"runs"`
	Tasks    []runTask `json:"tasks,omitempty"`
	Outcomes outcomes  `json:"outcomes,omitzero"`
}

// runTask is a task and the start of the first run that has it.
type runTask struct {
	Task
	RunStartedAt time.Time `json:"runStartedAt"`
}

// add adds the payments of a run.
func (p *payments) add(startedAt time.Time, history History) {
	p.Runs++
	for _, t := range history.tasks {
		if t.own {
			p.addTask(runTask{Task{TaskID: t.id, SubmittedAt: t.submittedAt}, startedAt})
		}
	}
	p.Outcomes.merge(history.outcomes)
}

// addTask adds a task, which of several runs the first one determines.
func (p *payments) addTask(added runTask) {
	known := slices.IndexFunc(p.Tasks, func(t runTask) bool { return t.TaskID == added.TaskID })
	switch {
	case known < 0:
		p.Tasks = append(p.Tasks, added)
	case added.RunStartedAt.Before(p.Tasks[known].RunStartedAt):
		p.Tasks = slices.Concat(p.Tasks[:known], p.Tasks[known+1:], []runTask{added})
	}
}

// merge adds the payments of other runs.
func (p *payments) merge(other payments) {
	p.Runs += other.Runs
	for _, t := range other.Tasks {
		p.addTask(t)
	}
	p.Outcomes.merge(other.Outcomes)
}

// earlier is the answer about the runs that are read. Those of later chains count if
// the own chain has no task: else they are further takes, with jobs of their own.
func (p Progress) earlier(runID string) Earlier {
	all := p.Chain
	if len(all.Tasks) == 0 {
		all.merge(p.Later)
	}
	all.Tasks = slices.Clone(all.Tasks)
	found := Earlier{RunID: runID, Runs: all.Runs, Unread: p.LastDeleted}
	slices.SortStableFunc(all.Tasks, func(a, b runTask) int { return a.RunStartedAt.Compare(b.RunStartedAt) })
	for _, t := range all.Tasks {
		found.Tasks = append(found.Tasks, t.Task)
	}
	for range p.Deleted {
		all.Outcomes.lose(Submission{})
	}
	found.Unknown = all.Outcomes.unknown()
	return found
}

// chain reads the runs of one chain.
type chain struct {
	reader                 Reader
	workflowID, firstRunID string
	seen                   map[string]bool
	read                   Progress
}

// newChain continues from the progress about the runs before runID.
func newChain(reader Reader, workflowID, runID, firstRunID string, from Progress) *chain {
	c := &chain{reader: reader, workflowID: workflowID, firstRunID: firstRunID, seen: map[string]bool{runID: true}, read: from}
	for _, runID := range from.Read {
		c.seen[runID] = true
	}
	return c
}

// follow reads a run, those that it follows, and so on, unless they are read. Links
// come before the list of runs, which would describe them once more.
func (c *chain) follow(ctx context.Context, runID string, keep func(Progress)) error {
	c.read.Links = append(c.read.Links, runID)
	for len(c.read.Links) > 0 {
		next := c.read.Links[0]
		if next == "" || c.seen[next] {
			c.read.Links = c.read.Links[1:]
			continue
		}
		previous, err := c.readRun(ctx, next)
		if err != nil {
			return err
		}
		c.seen[next] = true
		c.read.Read = append(c.read.Read, next)
		c.read.Links = append(previous, c.read.Links[1:]...)
		keep(c.read)
	}
	return nil
}

// readRun adds a run if it belongs to the chain or to a later one, and returns the
// runs of the chain that it follows.
func (c *chain) readRun(ctx context.Context, runID string) (previous []string, err error) {
	described, err := c.reader.Server.DescribeWorkflow(ctx, c.workflowID, runID)
	if NotFound(err) {
		c.addDeleted(runID)
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("describe run %s of %s: %w", runID, c.workflowID, err)
	}
	info := described.RawResponse.GetWorkflowExecutionInfo()
	startedAt := info.GetStartTime().AsTime()
	if runID == c.firstRunID {
		c.read.StartedAt = startedAt
	}
	own := info.GetFirstRunId() == c.firstRunID
	if !own && startedAt.Before(c.read.StartedAt) {
		return nil, nil
	}
	history, err := c.reader.History(ctx, c.workflowID, runID)
	switch {
	case NotFound(err):
		c.addDeleted(runID)
		return nil, nil
	case err != nil:
		return nil, err
	case history.undecrypted != nil:
		return nil, fmt.Errorf("read run %s of %s: %w", runID, c.workflowID, history.undecrypted)
	case !own:
		c.read.Later.add(startedAt, history)
		return nil, nil
	}
	c.read.Chain.add(startedAt, history)
	return history.previous, nil
}

// addDeleted adds a run whose payments are unknown.
func (c *chain) addDeleted(runID string) {
	c.read.Deleted++
	c.read.LastDeleted = runID
}
