package starter

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	"lumaflow/internal/kie"
	"lumaflow/internal/oneline"
	"lumaflow/internal/paid/runs"
)

const (
	// riskTimeout bounds the search for videos at risk.
	riskTimeout = 2 * time.Minute
	// maxJobs bounds the open jobs, and the closed ones, of one search, maxNamed the
	// jobs that one of its notes names.
	maxJobs  = 50_000
	maxNamed = 20
	// maxTaskDuration is the time after which a task counts as finished although no
	// record of its end was read. kie.ai documents 2 to 20 minutes.
	maxTaskDuration = time.Hour
)

// RiskFilter selects videos at risk.
type RiskFilter struct {
	// TaskQueue selects by the task queue of the job; empty means all.
	TaskQueue string
	// Limit is the greatest number of videos, those with the least time left first.
	Limit int
}

// Risk is a task that has ended, or may have, and whose video no job has stored.
// kie.ai deletes it at DeletedAt.
type Risk struct {
	// Entry is the job, whose fields the JSON holds directly.
	Entry
	// Failure is the type of the job's failure; empty if it is open.
	Failure string `json:"failure,omitempty"`
	// CountedFrom is the event at the time Since: the end of the task, or an earlier
	// one if the end is unknown.
	CountedFrom CountStart `json:"countedFrom"`
	Since       time.Time  `json:"since"`
	// DeletedAt is kie.MediaKept after Since. It is too early by the duration of the
	// task if Since is the submission.
	DeletedAt time.Time `json:"deletedAt"`
	// HoursLeft are the whole hours until DeletedAt.
	HoursLeft int `json:"hoursLeft"`
}

// CountStart is the event from which the time of a video is counted.
type CountStart string

const (
	// FromEnd is the end of the task in kie.ai's record.
	FromEnd CountStart = "finished"
	// FromSubmission is the submission of the task.
	FromSubmission CountStart = "submitted"
	// FromJob is the start of the job. A task of another submitter may be older.
	FromJob CountStart = "job-start"
)

// Risks is the result of a search for videos at risk.
type Risks struct {
	// Found are the videos, those with the least time left first.
	Found []Risk
	// More means that there are others beyond the limit.
	More bool
	// Notes describe, in a plain line each, what the search could not cover.
	Notes []string
}

// AtRisk finds the videos that no job has stored although their task has ended or
// may have: those of jobs that ended without their video, and those of open jobs
// that are collecting, or whose task was submitted more than an hour ago. Videos
// that a later run or another job has stored are left out. It reads the memo or the
// end of every such job, the oldest first, for at most two minutes.
func (s *Starter) AtRisk(ctx context.Context, filter RiskFilter) (Risks, error) {
	bounded, cancel := context.WithTimeout(ctx, riskTimeout)
	defer cancel()
	search := &riskSearch{starter: s, now: time.Now(), found: map[string]Risk{}}
	if err := search.list(bounded, filter); err != nil {
		return Risks{}, err
	}
	search.examineAll(bounded)
	if ctx.Err() != nil {
		return Risks{}, failed("search for videos at risk", context.Cause(ctx))
	}
	found := slices.SortedFunc(maps.Values(search.found), func(a, b Risk) int {
		return cmp.Or(a.DeletedAt.Compare(b.DeletedAt), strings.Compare(a.TaskID, b.TaskID))
	})
	risks := Risks{Found: append([]Risk{}, found...), Notes: search.notes()}
	if note := s.retentionNote(ctx); note != "" {
		risks.Notes = append(risks.Notes, note)
	}
	if len(risks.Found) > filter.Limit {
		risks.Found, risks.More = risks.Found[:filter.Limit], true
	}
	return risks, nil
}

// newRisk computes the time left for a payment. Only the task of the run has times:
// another one may be older.
func newRisk(entry Entry, payment runs.Payment, now time.Time) Risk {
	risk := Risk{Entry: entry, Failure: endType(payment.Run), CountedFrom: FromJob, Since: entry.StartedAt}
	risk.TaskID = payment.TaskID
	switch facts := payment.Run.Facts; {
	case facts.TaskID != "" && facts.TaskID != payment.TaskID:
	case !facts.EndedAt.IsZero():
		risk.CountedFrom, risk.Since = FromEnd, facts.EndedAt
	case !facts.SubmittedAt.IsZero():
		risk.CountedFrom, risk.Since = FromSubmission, facts.SubmittedAt
	}
	risk.Since = risk.Since.UTC()
	risk.DeletedAt = risk.Since.Add(kie.MediaKept)
	risk.HoursLeft = int(risk.DeletedAt.Sub(now) / time.Hour)
	return risk
}

// accuracy orders the starts of the count.
func (c CountStart) accuracy() int {
	return slices.Index([]CountStart{FromJob, FromSubmission, FromEnd}, c)
}

// merged is one task of two jobs: that of the open job, which collects it, with
// the more accurate start of the count.
func merged(a, b Risk) Risk {
	if b.State.Open() && !a.State.Open() {
		a, b = b, a
	}
	if b.CountedFrom.accuracy() > a.CountedFrom.accuracy() {
		a.CountedFrom, a.Since, a.DeletedAt, a.HoursLeft = b.CountedFrom, b.Since, b.DeletedAt, b.HoursLeft
	}
	return a
}

// retentionNote describes a namespace that deletes closed jobs before kie.ai
// deletes their videos.
func (s *Starter) retentionNote(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	described, err := s.temporal.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: s.namespace})
	if err != nil {
		return "not shown: jobs whose retention time is over; the retention time of the namespace could not be read (" + errorText(err) + ")"
	}
	retention := described.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration()
	if retention >= kie.MediaKept {
		return ""
	}
	return fmt.Sprintf("not shown: jobs that ended more than %dh ago, which namespace %s deletes; to keep them as long as kie.ai keeps videos: temporal operator namespace update --namespace %s --retention 15d",
		retention/time.Hour, oneline.Clean(s.namespace), oneline.Clean(s.namespace))
}
