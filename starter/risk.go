package starter

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	"lumaflow/internal/kie"
	"lumaflow/workflows"
)

const (
	// riskTimeout bounds the search for videos at risk.
	riskTimeout = 2 * time.Minute
	// maxCandidates is how many open jobs, and how many that have ended, one
	// search takes in.
	maxCandidates = 50_000
	// unfinished is how long a task is taken to run that nobody has seen the end
	// of. kie.ai tells of 2 to 20 minutes.
	unfinished = time.Hour
)

// RiskFilter selects videos at risk.
type RiskFilter struct {
	// TaskQueue selects by the task queue of the job; empty means all.
	TaskQueue string
	// Limit is how many are wanted, those with the least time left first.
	Limit int
}

// Risk is a task that has ended, or may have, and whose video no job has
// stored. kie.ai deletes it when its time is over.
type Risk struct {
	Entry
	// Failure is the type of the failure that the job ended with; empty if it is
	// open.
	Failure string `json:"failure,omitempty"`
	// CountedFrom says what Since is: the end of the task, or what is known
	// instead.
	CountedFrom Clock     `json:"countedFrom"`
	Since       time.Time `json:"since"`
	// DeletedAt is when kie.ai deletes the video: kie.MediaKept after Since. It
	// is too early by as much as the task took if only its submission is known.
	DeletedAt time.Time `json:"deletedAt"`
	// HoursLeft are whole hours until then.
	HoursLeft int `json:"hoursLeft"`
}

// Clock is what the time that a video has left is counted from.
type Clock string

const (
	// FromEnd is the end of the task, from kie.ai's record.
	FromEnd Clock = "finished"
	// FromSubmission is its submission: nobody has seen its end.
	FromSubmission Clock = "submitted"
	// FromJob is the start of the job: not even the submission is known. A task
	// that was submitted elsewhere may be older.
	FromJob Clock = "job-start"
)

// Risks is what a search for videos at risk has found.
type Risks struct {
	// Found are the videos, those with the least time left first.
	Found []Risk
	// More says that there are others beyond the limit.
	More bool
	// Notes tell, in a plain line each, what the search can't see.
	Notes []string
}

// AtRisk finds the videos that no job has stored although their task has ended
// or may have: those of jobs that ended without their video, and those of open
// jobs that are collecting, or whose task was submitted more than an hour ago.
// What another job has collected is left out. It reads the history of every such
// job, the oldest first, for at most two minutes.
func (s *Starter) AtRisk(ctx context.Context, filter RiskFilter) (Risks, error) {
	looking, cancel := context.WithTimeout(ctx, riskTimeout)
	defer cancel()
	search := &riskSearch{Starter: s, now: time.Now(), found: map[string]Risk{}}
	if err := search.list(looking, filter); err != nil {
		return Risks{}, err
	}
	search.examine(looking)
	if ctx.Err() != nil {
		return Risks{}, failed("look for videos at risk", context.Cause(ctx))
	}
	risks := Risks{Found: append([]Risk{}, search.inOrder()...), Notes: search.notes()}
	if note := s.forgetting(ctx); note != "" {
		risks.Notes = append(risks.Notes, note)
	}
	if len(risks.Found) > filter.Limit {
		risks.Found, risks.More = risks.Found[:filter.Limit], true
	}
	return risks, nil
}

// newRisk counts the time that a task of a job has left.
func newRisk(entry Entry, bill bill, task *task, now time.Time) Risk {
	risk := Risk{Entry: entry, CountedFrom: FromJob, Since: entry.StartedAt}
	risk.TaskID = task.id
	if bill.end != nil {
		risk.Failure = bill.end.Type
	}
	switch {
	case !task.endedAt.IsZero():
		risk.CountedFrom, risk.Since = FromEnd, task.endedAt
	case !task.submittedAt.IsZero():
		risk.CountedFrom, risk.Since = FromSubmission, task.submittedAt
	}
	risk.Since = risk.Since.UTC()
	risk.DeletedAt = risk.Since.Add(kie.MediaKept)
	risk.HoursLeft = int(risk.DeletedAt.Sub(now) / time.Hour)
	return risk
}

// tasksAtRisk are the tasks of a run whose videos it may have left at kie.ai.
func tasksAtRisk(bill bill) []*task {
	lost := bill.open
	if bill.end != nil {
		switch bill.end.Type {
		case workflows.GenerationFailed, workflows.SubmitRefused, workflows.InvalidRequest:
			return nil
		case workflows.SubmitUnknown:
			lost = true
		}
	}
	owned := slices.ContainsFunc(bill.tasks, func(t *task) bool { return t.own })
	// What was only named may be what became of a lost submission, unless the job
	// has found that.
	named := lost && (!owned || bill.end != nil && bill.end.Type == workflows.SubmitUnknown)
	var left []*task
	for _, task := range bill.tasks {
		if !task.barren && (task.own || named) {
			left = append(left, task)
		}
	}
	return left
}

// sure says how much a clock knows.
func (c Clock) sure() int {
	return slices.Index([]Clock{FromJob, FromSubmission, FromEnd}, c)
}

// merged is one task of two jobs: an open job collects what a failed one has
// left, and the better clock counts.
func merged(a, b Risk) Risk {
	if b.State.Open() && !a.State.Open() {
		a, b = b, a
	}
	if b.CountedFrom.sure() > a.CountedFrom.sure() {
		a.CountedFrom, a.Since, a.DeletedAt, a.HoursLeft = b.CountedFrom, b.Since, b.DeletedAt, b.HoursLeft
	}
	return a
}

// forgetting says how far back closed jobs are remembered, if that is less than
// videos are kept.
func (s *Starter) forgetting(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	described, err := s.temporal.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: s.namespace})
	if err != nil {
		return "not shown: jobs that Temporal has forgotten since they ended; how long it remembers them could not be asked (" + said(err) + ")"
	}
	kept := described.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration()
	if kept >= kie.MediaKept {
		return ""
	}
	return fmt.Sprintf("not shown: jobs that ended more than %s ago, namespace %s forgets them; have it remember them as long as kie.ai keeps videos: temporal operator namespace update --namespace %s --retention 15d",
		fmt.Sprintf("%dh", kept/time.Hour), plain(s.namespace), plain(s.namespace))
}
