package starter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	workflowpb "go.temporal.io/api/workflow/v1"
	"golang.org/x/sync/errgroup"

	"lumaflow/internal/kie"
	"lumaflow/internal/oneline"
	"lumaflow/internal/paid/runs"
	"lumaflow/workflows"
)

// riskSearch is one search for videos at risk.
type riskSearch struct {
	starter *Starter
	now     time.Time
	// candidates are the runs that may have left a video, those of the oldest job
	// first; truncated means that there were older ones.
	candidates [][]*workflowpb.WorkflowExecutionInfo
	truncated  bool

	mu sync.Mutex
	// found are the videos at risk by their task, nameless the ended jobs that may
	// have paid for a task with an unknown id, readErr is one of the errors of unread
	// jobs.
	found    map[string]Risk
	nameless []string
	readErr  string
	// missed are jobs beyond the time limit, unread those that could not be read,
	// expired the videos that kie.ai has deleted.
	missed, unread, expired int
	// noTaskAttribute means that the namespace can't list jobs by their task.
	noTaskAttribute bool
}

// list finds the candidates. Lists lack the failure of a job and, without lumaflow's
// search attributes, the stage of an open one.
func (r *riskSearch) list(ctx context.Context, filter RiskFilter) error {
	var listed []*workflowpb.WorkflowExecutionInfo
	// A task ends at most maxTaskDuration after its job.
	oldest := r.now.Add(-kie.MediaKept - maxTaskDuration).UTC().Format(time.RFC3339)
	for _, query := range []string{
		Filter{Open: true, TaskQueue: filter.TaskQueue}.query(),
		Filter{Failed: true, TaskQueue: filter.TaskQueue}.query() + " AND CloseTime > '" + oldest + "'",
	} {
		page, more, err := r.starter.listRuns(ctx, query, maxJobs)
		if err != nil {
			return failed("list the jobs", err)
		}
		r.truncated = r.truncated || more
		listed = append(listed, page...)
	}
	slices.SortFunc(listed, func(a, b *workflowpb.WorkflowExecutionInfo) int {
		return a.GetStartTime().AsTime().Compare(b.GetStartTime().AsTime())
	})
	jobs := map[string]int{}
	for _, info := range listed {
		if entry := newEntry(info); entry.Stage != "" && r.running(entry, entry.StartedAt) {
			continue
		}
		id := info.GetExecution().GetWorkflowId()
		job, known := jobs[id]
		if !known {
			job = len(r.candidates)
			jobs[id], r.candidates = job, append(r.candidates, nil)
		}
		r.candidates[job] = append(r.candidates[job], info)
	}
	return nil
}

// running reports whether the task of an open job, submitted at a time, is taken to
// be still running.
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
			r.mu.Lock()
			defer r.mu.Unlock()
			switch {
			case err == nil:
			case ctx.Err() != nil:
				r.missed++
			default:
				r.unread++
				r.readErr = errorText(err)
			}
			return nil
		})
	}
	// The errors are counted.
	_ = examinations.Wait()
}

// examine adds the videos that one job has left. It reads the other runs of the job
// only if one of the candidates has left a payment open.
func (r *riskSearch) examine(ctx context.Context, candidates []*workflowpb.WorkflowExecutionInfo) error {
	var known []runs.Run
	open := false
	for _, info := range candidates {
		run, err := r.starter.runs.Run(ctx, info)
		if notFound(err) {
			continue
		}
		if err != nil {
			return err
		}
		known = append(known, run)
		if run.Facts.PaidOpen {
			risk, err := r.risk(ctx, runs.Payment{Run: run, TaskID: run.Facts.TaskID})
			if err != nil {
				return err
			}
			open = open || !r.running(risk.Entry, risk.Since)
		}
	}
	if !open {
		return nil
	}
	job, err := r.starter.runs.Job(ctx, candidates[0].GetExecution().GetWorkflowId(), known...)
	if err != nil {
		return err
	}
	for _, payment := range job.Payments() {
		if payment.Stored || payment.NoVideo || !payment.Run.Facts.PaidOpen {
			continue
		}
		if err := r.add(ctx, payment); err != nil {
			return err
		}
	}
	return nil
}

// risk returns a payment as a video at risk, with the stage of an open run.
func (r *riskSearch) risk(ctx context.Context, payment runs.Payment) (Risk, error) {
	entry := newEntry(payment.Run.Info)
	if entry.State.Open() && entry.Stage == "" {
		described, err := r.starter.describe(ctx, entry.WorkflowID, entry.RunID)
		if err != nil && !errors.Is(err, ErrNoJob) {
			return Risk{}, err
		}
		entry.Stage = storedStage(described)
	}
	return newRisk(entry, payment, r.now), nil
}

// add adds a payment unless its task is running or another job has an end for it.
func (r *riskSearch) add(ctx context.Context, payment runs.Payment) error {
	risk, err := r.risk(ctx, payment)
	if err != nil || r.running(risk.Entry, risk.Since) {
		return err
	}
	settled, complete := false, true
	if payment.TaskID != "" {
		settled, complete, err = r.starter.runs.Settled(ctx, payment.TaskID)
	}
	if err != nil || settled {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.noTaskAttribute = r.noTaskAttribute || !complete
	switch other, found := r.found[risk.TaskID]; {
	case !risk.DeletedAt.After(r.now):
		r.expired++
	case payment.TaskID == "":
		if !payment.Run.Open() && !payment.Run.Facts.WrittenOff {
			r.nameless = append(r.nameless, oneline.Clean(risk.WorkflowID))
		}
	case found:
		r.found[risk.TaskID] = merged(other, risk)
	default:
		r.found[risk.TaskID] = risk
	}
	return nil
}

// notes describe the jobs and videos that are missing from the result.
func (r *riskSearch) notes() []string {
	var notes []string
	add := func(n int, format string, args ...any) {
		if n > 0 {
			notes = append(notes, fmt.Sprintf(format, args...))
		}
	}
	add(r.expired, "not shown: videos whose 14 days at kie.ai are over: %d", r.expired)
	slices.Sort(r.nameless)
	shown := strings.Join(r.nameless[:min(len(r.nameless), maxNamed)], ", ")
	if more := len(r.nameless) - maxNamed; more > 0 {
		shown += fmt.Sprintf(" and %d more", more)
	}
	add(len(r.nameless), "not shown: tasks with an unknown id that ended jobs may have paid: %s; look for them at https://kie.ai/logs and collect each at no cost with: lumaflow submit --task-id TASKID", shown)
	add(r.unread, "not shown: jobs that could not be read: %d (%s)", r.unread, r.readErr)
	add(r.missed, "not shown: the youngest jobs, which were not read within %s: %d of %d", riskTimeout, r.missed, len(r.candidates))
	if r.truncated {
		add(1, "not shown: the oldest jobs, beyond the first %d", maxJobs)
	}
	if r.noTaskAttribute {
		add(len(r.found), "may be collected already: tasks that a job with another id than that of `lumaflow rescue` stored; to find those jobs the namespace needs the search attribute %s", workflows.TaskIDAttribute)
	}
	return notes
}
