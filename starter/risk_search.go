package starter

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"golang.org/x/sync/errgroup"

	"lumaflow/internal/kie"
	"lumaflow/workflows"
)

// riskSearch is one search for videos at risk.
type riskSearch struct {
	*Starter
	now time.Time
	// candidates are the jobs that may have left a video, the oldest first;
	// truncated says that there were older ones.
	candidates []Entry
	truncated  bool

	mu sync.Mutex
	// found are the videos at risk by their task.
	found map[string]Risk
	// What else there is: jobs that there was no time for, jobs that could not be
	// read and why, lost submissions of which no task is known, and videos whose
	// time is over.
	missed, unread, nameless, expired int
	unreadable                        error
	// untraceable says that the namespace can't find jobs by their task.
	untraceable bool
}

// list finds the candidates. Temporal's lists tell everything but how a job
// ended and, without lumaflow's search attributes, what an open one is doing.
func (r *riskSearch) list(ctx context.Context, filter RiskFilter) error {
	// A task ends within the hour after its job, if not before.
	oldest := r.now.Add(-kie.MediaKept - unfinished).UTC().Format(time.RFC3339)
	for _, query := range []string{
		Filter{Open: true, TaskQueue: filter.TaskQueue}.query(),
		Filter{Failed: true, TaskQueue: filter.TaskQueue}.query() + " AND CloseTime > '" + oldest + "'",
	} {
		entries, more, err := r.listed(ctx, query, maxCandidates)
		if err != nil {
			return failed("list the jobs", err)
		}
		r.truncated = r.truncated || more
		r.candidates = append(r.candidates, slices.DeleteFunc(entries, func(entry Entry) bool {
			return entry.Stage != "" && r.harmless(entry)
		})...)
	}
	slices.SortFunc(r.candidates, func(a, b Entry) int { return a.StartedAt.Compare(b.StartedAt) })
	return nil
}

// harmless says that an open job is too young for a task that nobody has seen
// the end of.
func (r *riskSearch) harmless(entry Entry) bool {
	return entry.State.Open() && entry.Stage != workflows.StageCollecting && r.now.Sub(entry.StartedAt) < unfinished
}

// examine looks at the candidates until ctx ends.
func (r *riskSearch) examine(ctx context.Context) {
	var looking errgroup.Group
	looking.SetLimit(askers)
	for _, candidate := range r.candidates {
		looking.Go(func() error {
			err := ctx.Err()
			if err == nil {
				err = r.look(ctx, candidate)
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			switch {
			case err == nil, errors.Is(err, ErrNoJob):
			case ctx.Err() != nil:
				r.missed++
			default:
				r.unread++
				r.unreadable = err
			}
			return nil
		})
	}
	// The looks return no errors.
	_ = looking.Wait()
}

// look adds what one job has left.
func (r *riskSearch) look(ctx context.Context, entry Entry) error {
	if entry.State.Open() && entry.Stage == "" {
		described, err := r.describe(ctx, entry.WorkflowID, entry.RunID)
		if err != nil {
			return err
		}
		entry.Stage = stageSeen(described)
		if r.harmless(entry) {
			return nil
		}
	}
	bill, err := r.readBill(ctx, Report{WorkflowID: entry.WorkflowID, RunID: entry.RunID})
	if err != nil {
		return err
	}
	left := tasksAtRisk(bill)
	if len(left) == 0 && bill.end != nil && bill.end.Type == workflows.SubmitUnknown {
		r.mu.Lock()
		r.nameless++
		r.mu.Unlock()
	}
	for _, task := range left {
		risk := newRisk(entry, bill, task, r.now)
		if entry.State.Open() && entry.Stage != workflows.StageCollecting && r.now.Sub(risk.Since) < unfinished {
			continue
		}
		stored, err := r.stored(ctx, risk)
		if err != nil {
			return err
		}
		if !stored {
			r.add(risk)
		}
	}
	return nil
}

func (r *riskSearch) add(risk Risk) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !risk.DeletedAt.After(r.now) {
		r.expired++
		return
	}
	if known, twice := r.found[risk.TaskID]; twice {
		risk = merged(known, risk)
	}
	r.found[risk.TaskID] = risk
}

// stored reports whether another job, or a later run of the same one, has
// collected the task.
func (r *riskSearch) stored(ctx context.Context, risk Risk) (bool, error) {
	for _, id := range []string{JobID(workflows.ModifyVideoInput{TaskID: risk.TaskID}, ""), risk.WorkflowID} {
		described, err := r.describe(ctx, id, "")
		if errors.Is(err, ErrNoJob) {
			continue
		}
		if err != nil {
			return false, err
		}
		latest := newReport(described)
		if latest.State != StateCompleted {
			continue
		}
		if err := r.addEnd(ctx, &latest); err != nil {
			return false, err
		}
		if latest.Result != nil && latest.Result.TaskID == risk.TaskID {
			return true, nil
		}
	}
	return r.traced(ctx, risk.TaskID)
}

// traced looks for a job of any id that has collected the task.
func (r *riskSearch) traced(ctx context.Context, taskID string) (bool, error) {
	r.mu.Lock()
	untraceable := r.untraceable
	r.mu.Unlock()
	if untraceable {
		return false, nil
	}
	page, err := r.temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		PageSize: 1,
		Query:    Filter{}.query() + " AND " + workflows.Equals("ExecutionStatus", "Completed") + " AND " + workflows.Equals(workflows.TaskIDAttribute, taskID),
	})
	var invalid *serviceerror.InvalidArgument
	if errors.As(err, &invalid) {
		r.mu.Lock()
		r.untraceable = true
		r.mu.Unlock()
		return false, nil
	}
	return len(page.GetExecutions()) > 0, err
}

// inOrder are the videos at risk, those with the least time left first.
func (r *riskSearch) inOrder() []Risk {
	return slices.SortedFunc(maps.Values(r.found), func(a, b Risk) int {
		if order := a.DeletedAt.Compare(b.DeletedAt); order != 0 {
			return order
		}
		return strings.Compare(a.TaskID, b.TaskID)
	})
}

// notes describe the jobs and videos that are missing from the result.
func (r *riskSearch) notes() []string {
	var notes []string
	add := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if r.expired > 0 {
		add("not shown: videos whose 14 days at kie.ai are over: %d", r.expired)
	}
	if r.nameless > 0 {
		add("not shown: jobs that failed with SubmitUnknown and named no task: %d; look for their tasks at https://kie.ai/logs", r.nameless)
	}
	if r.unread > 0 {
		add("not shown: jobs that could not be read: %d (%s)", r.unread, said(r.unreadable))
	}
	if r.missed > 0 {
		add("not shown: the youngest jobs, which were not read within %s: %d of %d", riskTimeout, r.missed, len(r.candidates))
	}
	if r.truncated {
		add("not shown: the oldest jobs, beyond the first %d", maxCandidates)
	}
	if r.untraceable && len(r.found) > 0 {
		add("may be collected already: tasks that a job with another id than that of `lumaflow rescue` stored; to find those jobs the namespace needs the search attribute %s", workflows.TaskIDAttribute)
	}
	return notes
}
