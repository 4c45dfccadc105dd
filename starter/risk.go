package starter

import (
	"context"
	"slices"
	"time"

	workflowpb "go.temporal.io/api/workflow/v1"
	"golang.org/x/sync/errgroup"

	"lumaflow/internal/kie"
	"lumaflow/internal/temporal/visibility"
)

const (
	// riskTimeout bounds a search for videos at risk, maxJobs its open jobs, its failed
	// and its completed ones.
	riskTimeout = 2 * time.Minute
	maxJobs     = 50_000
	// maxTaskDuration is the time after which a task counts as finished although no
	// record of its end was read. kie.ai documents 2 to 20 minutes.
	maxTaskDuration = time.Hour
)

// RiskFilter selects videos at risk: by the task queue of the job, empty for all, and
// at most Limit, those with the least time left first.
type RiskFilter struct {
	TaskQueue string
	Limit     int
}

// Risk is a task that has ended, or may have, and whose video no job has stored.
type Risk struct {
	// Entry is the job, whose fields the JSON holds directly.
	Entry
	// Failure is the type of the job's failure; empty if it is open or has completed
	// with another task.
	Failure string `json:"failure,omitempty"`
	// CountedFrom is the event at the time Since: the end of the task in kie.ai's
	// record, or else its submission, or else the start of the job.
	CountedFrom CountStart `json:"countedFrom"`
	Since       time.Time  `json:"since"`
	// DeletedAt is kie.MediaKept after Since: too early by the duration of the task if
	// that is the submission. HoursLeft are the whole hours until then.
	DeletedAt time.Time `json:"deletedAt"`
	HoursLeft int       `json:"hoursLeft"`
	// Expired means that kie.ai has deleted the video: its time is over, or a job has
	// found none.
	Expired bool `json:"expired,omitempty"`
	// WrittenOff means that an operator gave up the submission, whose task is unknown.
	WrittenOff bool `json:"writtenOff,omitempty"`
}

// CountStart is the event from which the time of a video is counted.
type CountStart string

// A task of another submitter may be older than the start of the job.
const (
	FromEnd        CountStart = "finished"
	FromSubmission CountStart = "submitted"
	FromJob        CountStart = "job-start"
)

// Risks is the result of a search for videos at risk. More means that there are others
// beyond the limit, Notes describe, in a plain line each, what the search lacks.
type Risks struct {
	Found []Risk
	More  bool
	Notes []string
}

// AtRisk finds the videos that no job has stored although their task has ended or
// may have: those of runs that ended without their video, those that a completed run
// paid for beside its own, and those of open jobs that are collecting, or whose task was
// submitted more than an hour ago. It reads the memo or the end of each run, the oldest
// first, for at most two minutes.
func (s *Starter) AtRisk(ctx context.Context, filter RiskFilter) (Risks, error) {
	search := &riskSearch{starter: s}
	if err := search.run(ctx, filter); err != nil {
		return Risks{}, err
	}
	risks := search.result()
	if note := s.retentionNote(ctx, kie.MediaKept); note != "" {
		risks.Notes = append(risks.Notes, note)
	}
	if len(risks.Found) > filter.Limit {
		risks.Found, risks.More = risks.Found[:filter.Limit], true
	}
	return risks, nil
}

// run fills the search.
func (r *riskSearch) run(ctx context.Context, filter RiskFilter) error {
	bounded, cancel := context.WithTimeout(ctx, riskTimeout)
	defer cancel()
	r.now, r.found, r.read = time.Now(), map[string]Risk{}, map[string]bool{}
	candidates, truncated, err := r.list(bounded, filter)
	if err != nil {
		return failed("list the jobs", err)
	}
	r.candidates, r.truncated = len(candidates), truncated
	var examinations errgroup.Group
	examinations.SetLimit(maxConcurrent)
	for _, info := range candidates {
		examinations.Go(func() error {
			r.count(bounded, r.examine(bounded, info))
			return nil
		})
	}
	// The errors are counted.
	_ = examinations.Wait()
	if ctx.Err() != nil {
		return failed("search for videos at risk", context.Cause(ctx))
	}
	return nil
}

// list returns the runs that may have left a video, the oldest first. Lists lack the
// stage of open ones without lumaflow's search attributes. A task ends at most
// maxTaskDuration after its job.
func (r *riskSearch) list(ctx context.Context, filter RiskFilter) (candidates []*workflowpb.WorkflowExecutionInfo, truncated bool, err error) {
	oldest := r.now.Add(-kie.MediaKept - maxTaskDuration).UTC().Format(time.RFC3339)
	since := " AND CloseTime > '" + oldest + "'"
	if r.unstored {
		since = ""
	}
	for _, query := range []string{
		Filter{Open: true, TaskQueue: filter.TaskQueue}.query(),
		Filter{Failed: true, TaskQueue: filter.TaskQueue}.query() + since,
		Filter{TaskQueue: filter.TaskQueue}.query() + " AND " + visibility.Equals("ExecutionStatus", "Completed") + since,
	} {
		listed, more, err := r.starter.listRuns(ctx, query, maxJobs)
		if err != nil {
			return nil, false, err
		}
		candidates, truncated = append(candidates, slices.DeleteFunc(listed, r.leavesNothing)...), truncated || more
	}
	slices.SortFunc(candidates, func(a, b *workflowpb.WorkflowExecutionInfo) int {
		return a.GetStartTime().AsTime().Compare(b.GetStartTime().AsTime())
	})
	return candidates, truncated, nil
}

// leavesNothing reports whether a list shows that a run has no video at risk: its task
// is running, or it has completed and its memo names no other task.
func (r *riskSearch) leavesNothing(info *workflowpb.WorkflowExecutionInfo) bool {
	entry := r.starter.newEntry(info)
	if entry.State == StateCompleted {
		return !r.starter.runs.LeavesPayments(info)
	}
	return entry.Stage != "" && r.running(entry, entry.StartedAt)
}
