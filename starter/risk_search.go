package starter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"golang.org/x/sync/errgroup"

	"lumaflow/internal/kie"
	"lumaflow/internal/temporal/visibility"
	"lumaflow/workflows"
)

// riskSearch is one search for videos at risk.
type riskSearch struct {
	starter *Starter
	now     time.Time
	// candidates are the jobs that may have left a video, the oldest first;
	// truncated means that there were older ones.
	candidates []Entry
	truncated  bool

	mu sync.Mutex
	// found are the videos at risk by their task, readErr is one of the errors of
	// unread jobs.
	found   map[string]Risk
	readErr error
	// The rest is counted: jobs beyond the time limit, jobs that could not be read,
	// unknown submissions without a task, and videos that kie.ai has deleted.
	missed, unread, nameless, expired atomic.Int32
	// noTaskAttribute means that the namespace can't list jobs by their task.
	noTaskAttribute atomic.Bool
}

// list finds the candidates. Lists lack the failure of a job and, without
// lumaflow's search attributes, the stage of an open one.
func (r *riskSearch) list(ctx context.Context, filter RiskFilter) error {
	// A task ends at most maxTaskDuration after its job.
	oldest := r.now.Add(-kie.MediaKept - maxTaskDuration).UTC().Format(time.RFC3339)
	for _, query := range []string{
		Filter{Open: true, TaskQueue: filter.TaskQueue}.query(),
		Filter{Failed: true, TaskQueue: filter.TaskQueue}.query() + " AND CloseTime > '" + oldest + "'",
	} {
		entries, more, err := r.starter.listPages(ctx, query, maxJobs)
		if err != nil {
			return failed("list the jobs", err)
		}
		r.truncated = r.truncated || more
		r.candidates = append(r.candidates, slices.DeleteFunc(entries, func(entry Entry) bool {
			return entry.Stage != "" && r.running(entry, entry.StartedAt)
		})...)
	}
	slices.SortFunc(r.candidates, func(a, b Entry) int { return a.StartedAt.Compare(b.StartedAt) })
	return nil
}

// running reports whether the task of an open job, submitted at a time, is taken
// to be still running.
func (r *riskSearch) running(entry Entry, submittedAt time.Time) bool {
	return entry.State.Open() && entry.Stage != workflows.StageCollecting && r.now.Sub(submittedAt) < maxTaskDuration
}

// examineAll examines the candidates until ctx ends.
func (r *riskSearch) examineAll(ctx context.Context) {
	var examinations errgroup.Group
	examinations.SetLimit(maxConcurrent)
	for _, candidate := range r.candidates {
		examinations.Go(func() error {
			err := ctx.Err()
			if err == nil {
				err = r.examine(ctx, candidate)
			}
			switch {
			case err == nil, errors.Is(err, ErrNoJob):
			case ctx.Err() != nil:
				r.missed.Add(1)
			default:
				r.unread.Add(1)
				r.mu.Lock()
				r.readErr = err
				r.mu.Unlock()
			}
			return nil
		})
	}
	// The errors are counted.
	_ = examinations.Wait()
}

// examine adds the videos that one job has left.
func (r *riskSearch) examine(ctx context.Context, entry Entry) error {
	if entry.State.Open() && entry.Stage == "" {
		described, err := r.starter.describe(ctx, entry.WorkflowID, entry.RunID)
		if err != nil {
			return err
		}
		entry.Stage = storedStage(described)
		if r.running(entry, entry.StartedAt) {
			return nil
		}
	}
	tasks, err := r.starter.readTasks(ctx, entry.WorkflowID, entry.RunID)
	if err != nil {
		return err
	}
	left := tasks.atRisk()
	if len(left) == 0 && tasks.failure.is(workflows.SubmitUnknown) {
		r.nameless.Add(1)
	}
	for _, task := range left {
		risk := newRisk(entry, tasks, task, r.now)
		if r.running(entry, risk.Since) {
			continue
		}
		collected, err := r.collected(ctx, risk)
		if err != nil {
			return err
		}
		if !collected {
			r.add(risk)
		}
	}
	return nil
}

func (r *riskSearch) add(risk Risk) {
	if !risk.DeletedAt.After(r.now) {
		r.expired.Add(1)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if other, found := r.found[risk.TaskID]; found {
		risk = merged(other, risk)
	}
	r.found[risk.TaskID] = risk
}

// collected reports whether another job, or a later run of the same one, has
// stored the video of the task.
func (r *riskSearch) collected(ctx context.Context, risk Risk) (bool, error) {
	for _, id := range []string{JobID(workflows.ModifyVideoInput{TaskID: risk.TaskID}, ""), risk.WorkflowID} {
		described, err := r.starter.describe(ctx, id, "")
		if errors.Is(err, ErrNoJob) {
			continue
		}
		if err != nil {
			return false, err
		}
		latest := newReport(described.GetWorkflowExecutionInfo())
		if latest.State != StateCompleted {
			continue
		}
		if err := r.starter.addEnd(ctx, &latest); err != nil {
			return false, err
		}
		if latest.Result != nil && latest.Result.TaskID == risk.TaskID {
			return true, nil
		}
	}
	return r.listed(ctx, risk.TaskID)
}

// listed reports whether a completed job with any id has the task as its search
// attribute.
func (r *riskSearch) listed(ctx context.Context, taskID string) (bool, error) {
	if r.noTaskAttribute.Load() {
		return false, nil
	}
	page, err := r.starter.temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		PageSize: 1,
		Query:    Filter{}.query() + " AND " + visibility.Equals("ExecutionStatus", "Completed") + " AND " + visibility.Equals(workflows.TaskIDAttribute, taskID),
	})
	if is[*serviceerror.InvalidArgument](err) {
		r.noTaskAttribute.Store(true)
		return false, nil
	}
	return len(page.GetExecutions()) > 0, err
}

// notes describe the jobs and videos that are missing from the result.
func (r *riskSearch) notes() []string {
	var notes []string
	add := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if n := r.expired.Load(); n > 0 {
		add("not shown: videos whose 14 days at kie.ai are over: %d", n)
	}
	if n := r.nameless.Load(); n > 0 {
		add("not shown: jobs that failed with SubmitUnknown and named no task: %d; look for their tasks at https://kie.ai/logs", n)
	}
	if n := r.unread.Load(); n > 0 {
		add("not shown: jobs that could not be read: %d (%s)", n, errorText(r.readErr))
	}
	if n := r.missed.Load(); n > 0 {
		add("not shown: the youngest jobs, which were not read within %s: %d of %d", riskTimeout, n, len(r.candidates))
	}
	if r.truncated {
		add("not shown: the oldest jobs, beyond the first %d", maxJobs)
	}
	if r.noTaskAttribute.Load() && len(r.found) > 0 {
		add("may be collected already: tasks that a job with another id than that of `lumaflow rescue` stored; to find those jobs the namespace needs the search attribute %s", workflows.TaskIDAttribute)
	}
	return notes
}
