package starter

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	workflowpb "go.temporal.io/api/workflow/v1"
	"golang.org/x/sync/errgroup"

	"lumaflow/internal/kie"
	"lumaflow/internal/paid/runs"
	"lumaflow/internal/temporal/visibility"
	"lumaflow/workflows"
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

// riskSearch is one search for videos at risk.
type riskSearch struct {
	starter *Starter
	now     time.Time

	mu sync.Mutex
	// found are the payments that are open, by their task or else by their job, read
	// the jobs whose runs are read.
	found map[string]Risk
	read  map[string]bool
	// missed are runs beyond the time limit, unread those that failed with readErr.
	missed, unread int
	readErr        string
	// noTaskAttribute means that the namespace can't list jobs by their task.
	noTaskAttribute bool
}

// AtRisk finds the videos that no job has stored although their task has ended or
// may have: those of runs that ended without their video, those that a completed run
// paid for beside its own, and those of open jobs that are collecting, or whose task was
// submitted more than an hour ago. It reads the memo or the end of each run, the oldest
// first, for at most two minutes.
func (s *Starter) AtRisk(ctx context.Context, filter RiskFilter) (Risks, error) {
	bounded, cancel := context.WithTimeout(ctx, riskTimeout)
	defer cancel()
	search := &riskSearch{starter: s, now: time.Now(), found: map[string]Risk{}, read: map[string]bool{}}
	candidates, truncated, err := search.list(bounded, filter)
	if err != nil {
		return Risks{}, failed("list the jobs", err)
	}
	var examinations errgroup.Group
	examinations.SetLimit(maxConcurrent)
	for _, info := range candidates {
		examinations.Go(func() error {
			search.count(bounded, search.examine(bounded, info))
			return nil
		})
	}
	// The errors are counted.
	_ = examinations.Wait()
	if ctx.Err() != nil {
		return Risks{}, failed("search for videos at risk", context.Cause(ctx))
	}
	risks := search.result(len(candidates), truncated)
	if note := s.retentionNote(ctx); note != "" {
		risks.Notes = append(risks.Notes, note)
	}
	if len(risks.Found) > filter.Limit {
		risks.Found, risks.More = risks.Found[:filter.Limit], true
	}
	return risks, nil
}

// list returns the runs that may have left a video, the oldest first. Lists lack the
// stage of open ones without lumaflow's search attributes. A task ends at most
// maxTaskDuration after its job.
func (r *riskSearch) list(ctx context.Context, filter RiskFilter) (candidates []*workflowpb.WorkflowExecutionInfo, truncated bool, err error) {
	open, more, err := r.starter.listRuns(ctx, Filter{Open: true, TaskQueue: filter.TaskQueue}.query(), maxJobs)
	if err != nil {
		return nil, false, err
	}
	open = slices.DeleteFunc(open, func(info *workflowpb.WorkflowExecutionInfo) bool {
		entry := newEntry(info)
		return entry.Stage != "" && r.running(entry, entry.StartedAt)
	})
	oldest := r.now.Add(-kie.MediaKept - maxTaskDuration).UTC().Format(time.RFC3339)
	since := " AND CloseTime > '" + oldest + "'"
	ended, moreEnded, err := r.starter.listRuns(ctx, Filter{Failed: true, TaskQueue: filter.TaskQueue}.query()+since, maxJobs)
	if err != nil {
		return nil, false, err
	}
	completed, moreCompleted, err := r.starter.listRuns(ctx, Filter{Closed: true, TaskQueue: filter.TaskQueue}.query()+
		" AND "+visibility.Equals("ExecutionStatus", "Completed")+since, maxJobs)
	// Nearly all of them have left nothing, which the memo in the list shows.
	completed = slices.DeleteFunc(completed, func(info *workflowpb.WorkflowExecutionInfo) bool { return !r.starter.runs.LeavesPayments(info) })
	candidates = slices.Concat(open, ended, completed)
	slices.SortFunc(candidates, func(a, b *workflowpb.WorkflowExecutionInfo) int {
		return a.GetStartTime().AsTime().Compare(b.GetStartTime().AsTime())
	})
	return candidates, more || moreEnded || moreCompleted, err
}

// running reports whether the task of an open job, submitted at a time, is taken to
// be still running.
func (r *riskSearch) running(entry Entry, submittedAt time.Time) bool {
	return entry.State.Open() && entry.Stage != workflows.StageCollecting && r.now.Sub(submittedAt) < maxTaskDuration
}

// count counts the error of one examination.
func (r *riskSearch) count(ctx context.Context, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil, runs.NotFound(err), errors.Is(err, ErrNoJob):
	case ctx.Err() != nil:
		r.missed++
	default:
		r.unread++
		r.readErr = errorText(err)
	}
}

// examine adds the videos that a job has left, if the run may have left one.
func (r *riskSearch) examine(ctx context.Context, info *workflowpb.WorkflowExecutionInfo) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	run, err := r.starter.runs.Run(ctx, info)
	if err != nil || !run.Facts.PaidOpen {
		return err
	}
	if risk, err := r.risk(ctx, runs.Payment{Run: run, TaskID: run.Facts.TaskID}); err != nil || r.running(risk.Entry, risk.Since) {
		return err
	}
	id, runID := info.GetExecution().GetWorkflowId(), info.GetExecution().GetRunId()
	latest, err := r.starter.describe(ctx, id, "")
	if err != nil && !errors.Is(err, ErrNoJob) {
		return err
	}
	job := runs.Job{run}
	if last := latest.GetWorkflowExecutionInfo(); last.GetExecution().GetRunId() != runID || last.GetFirstRunId() != runID {
		// Temporal limits lists to 10 a second, so that jobs of one run have none.
		r.mu.Lock()
		read := r.read[id]
		r.read[id] = true
		r.mu.Unlock()
		if read {
			return nil
		}
		if job, err = r.starter.runs.Job(ctx, id, run); err != nil {
			return err
		}
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

// risk returns a payment as a video at risk, with the stage of an open run. Only the
// task of the run has times: another one may be older.
func (r *riskSearch) risk(ctx context.Context, payment runs.Payment) (Risk, error) {
	risk := Risk{Entry: newEntry(payment.Run.Info), Failure: endType(payment.Run), CountedFrom: FromJob}
	if risk.State.Open() && risk.Stage == "" {
		described, err := r.starter.describe(ctx, risk.WorkflowID, risk.RunID)
		if err != nil {
			return risk, err
		}
		risk.Stage = storedStage(described)
	}
	risk.TaskID, risk.Since = payment.TaskID, risk.StartedAt
	switch facts := payment.Run.Facts; {
	case facts.TaskID != "" && facts.TaskID != payment.TaskID:
	case !facts.EndedAt.IsZero():
		risk.CountedFrom, risk.Since = FromEnd, facts.EndedAt
	case !facts.SubmittedAt.IsZero():
		risk.CountedFrom, risk.Since = FromSubmission, facts.SubmittedAt
	}
	risk.Since = risk.Since.UTC()
	risk.DeletedAt = risk.Since.Add(kie.MediaKept)
	risk.HoursLeft = int(risk.DeletedAt.Sub(r.now) / time.Hour)
	return risk, nil
}

// add adds a payment unless its task is running, an open job searches for it, an
// operator has given it up or another job has an end for it. Of a task of two jobs the
// open job, which collects it, and the shorter time are shown.
func (r *riskSearch) add(ctx context.Context, payment runs.Payment) error {
	risk, err := r.risk(ctx, payment)
	if err != nil || r.running(risk.Entry, risk.Since) || risk.TaskID == "" && (payment.Run.Open() || payment.Run.Facts.WrittenOff) {
		return err
	}
	settled, complete := false, true
	if risk.TaskID != "" {
		settled, complete, err = r.starter.runs.Settled(ctx, risk.TaskID)
	}
	if err != nil || settled {
		return err
	}
	r.showCollector(ctx, &risk)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.noTaskAttribute = r.noTaskAttribute || !complete
	key := cmp.Or(risk.TaskID, "job "+risk.WorkflowID)
	if other, found := r.found[key]; found {
		if other.Since.Before(risk.Since) {
			risk, other = other, risk
		}
		if other.State.Open() {
			risk.Entry, risk.Failure = other.Entry, other.Failure
		}
	}
	r.found[key] = risk
	return nil
}

// showCollector shows the open job that collects the task of an ended one. Without an
// answer of Temporal the ended job is shown.
func (r *riskSearch) showCollector(ctx context.Context, risk *Risk) {
	if risk.TaskID == "" || risk.State.Open() {
		return
	}
	described, err := r.starter.describe(ctx, runs.CollectorID(risk.TaskID), "")
	if err != nil {
		return
	}
	entry := newEntry(described.GetWorkflowExecutionInfo())
	if entry.State.Open() {
		entry.Stage, entry.TaskID = cmp.Or(entry.Stage, storedStage(described)), risk.TaskID
		risk.Entry, risk.Failure = entry, ""
	}
}
