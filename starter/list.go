package starter

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"golang.org/x/sync/errgroup"

	"lumaflow/internal/paid"
	"lumaflow/internal/temporal/visibility"
	"lumaflow/workflows"
)

const (
	listTimeout = 30 * time.Second
	// listPageSize is the greatest page of a list.
	listPageSize = 500
	// stageTimeout bounds the queries for the stages of all jobs of a list.
	stageTimeout = 6 * time.Second
)

// Filter selects jobs.
type Filter struct {
	// Open, Closed and Failed select by state; failed is every end without a video.
	// At most one of them is set.
	Open, Closed, Failed bool
	// Stage selects by stage. It needs the search attribute LumaStage.
	Stage workflows.Stage
	// TaskQueue selects by task queue; empty means all.
	TaskQueue string
	// Limit is the greatest number of jobs, the newest first.
	Limit int
	// Queries bounds the queries for the stages of open jobs that their search
	// attributes lack; zero means Limit.
	Queries int
}

// Entry is one job of a list.
type Entry struct {
	WorkflowID string `json:"workflowId"`
	RunID      string `json:"runId"`
	State      State  `json:"state"`
	// Stage and TaskID are empty if they are neither in the search attributes nor
	// in the answer of a worker.
	Stage  workflows.Stage `json:"stage,omitempty"`
	TaskID string          `json:"taskId,omitempty"`
	// Model is the model of the task; empty for Luma Modify.
	Model string `json:"model,omitempty"`
	// Credits is the cost of the task; nil if kie.ai's record has none, or none yet.
	Credits   *float64  `json:"credits,omitempty"`
	StartedAt time.Time `json:"startedAt"`
	ClosedAt  time.Time `json:"closedAt,omitzero"`
}

// List lists jobs; more means that there are others beyond the limit. Temporal's
// lists lag behind by up to a few seconds.
func (s *Starter) List(ctx context.Context, filter Filter) (entries []Entry, more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	listed, more, err := s.listRuns(ctx, filter.query(), filter.Limit)
	if err != nil {
		return nil, false, filter.listError(err)
	}
	entries = make([]Entry, len(listed))
	for i, info := range listed {
		entries[i] = s.newEntry(info)
	}
	s.queryStages(ctx, entries, cmp.Or(filter.Queries, filter.Limit))
	return entries, more, nil
}

// Count counts jobs, without a limit.
func (s *Starter) Count(ctx context.Context, filter Filter) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	counted, err := s.temporal.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: filter.query()})
	if err != nil {
		return 0, filter.listError(err)
	}
	return int(counted.GetCount()), nil
}

// listRuns reads the pages of a list up to a limit.
func (s *Starter) listRuns(ctx context.Context, query string, limit int) (listed []*workflowpb.WorkflowExecutionInfo, more bool, err error) {
	request := &workflowservice.ListWorkflowExecutionsRequest{Query: query}
	for {
		request.PageSize = int32(min(limit+1-len(listed), listPageSize)) //nolint:gosec // at most listPageSize
		page, err := s.temporal.ListWorkflow(ctx, request)
		if err != nil {
			return nil, false, err
		}
		listed = append(listed, page.GetExecutions()...)
		switch request.NextPageToken = page.GetNextPageToken(); {
		case len(listed) > limit:
			return listed[:limit], true, nil
		case len(request.NextPageToken) == 0:
			return listed, false, nil
		}
	}
}

func (f Filter) query() string {
	terms := []string{visibility.Equals("WorkflowType", workflows.ModifyVideoName)}
	switch {
	case f.Open:
		terms = append(terms, visibility.Equals("ExecutionStatus", "Running"))
	case f.Closed:
		terms = append(terms, "ExecutionStatus != 'Running'")
	case f.Failed:
		terms = append(terms, visibility.In("ExecutionStatus", []string{"Failed", "Canceled", "Terminated", "TimedOut"}))
	}
	if f.Stage != "" {
		terms = append(terms, visibility.Equals(workflows.StageAttribute, string(f.Stage)))
	}
	if f.TaskQueue != "" {
		terms = append(terms, visibility.Equals("TaskQueue", f.TaskQueue))
	}
	return strings.Join(terms, " AND ")
}

func (f Filter) listError(err error) error {
	if f.Stage != "" && is[*serviceerror.InvalidArgument](err) {
		return &requestError{fmt.Sprintf("this namespace has no search attribute %s, so jobs can't be listed by stage; add it with: temporal operator search-attribute create --name %s --type Keyword --name %s --type Keyword",
			workflows.StageAttribute, workflows.StageAttribute, workflows.TaskIDAttribute), err}
	}
	return failed("list the jobs", err)
}

// newEntry reads the search attributes and the memo, which lists hold.
func (s *Starter) newEntry(info *workflowpb.WorkflowExecutionInfo) Entry {
	job := newReport(info)
	facts, _ := paid.FromMemo(info.GetMemo(), s.of(job.WorkflowID).Data)
	stage := workflows.Stage(visibility.Attribute(info, workflows.StageAttribute))
	switch {
	case job.State == StateCompleted:
		stage = workflows.StageDone
	case !job.State.Open():
		stage = workflows.StageFailed
	}
	return Entry{
		WorkflowID: job.WorkflowID, RunID: job.RunID, State: job.State, Stage: stage, TaskID: job.TaskID,
		Model: facts.Model, Credits: facts.Credits, StartedAt: job.StartedAt, ClosedAt: job.ClosedAt,
	}
}

// queryStages queries the open jobs without a stage, at most limit. One stuck job
// proves nothing about the others. After several queries without an answer it makes
// no more: the other jobs most likely lack their worker as well, and the list does not
// wait for each.
func (s *Starter) queryStages(ctx context.Context, entries []Entry, limit int) {
	ctx, cancel := context.WithTimeout(ctx, stageTimeout)
	defer cancel()
	var unanswered atomic.Int32
	var queries errgroup.Group
	queries.SetLimit(maxConcurrent)
	for i := range entries {
		entry := &entries[i]
		if !entry.State.Open() || entry.Stage != "" {
			continue
		}
		if limit--; limit < 0 {
			break
		}
		queries.Go(func() error {
			if unanswered.Load() >= maxConcurrent {
				return nil
			}
			status, err := s.query(ctx, entry.WorkflowID, entry.RunID)
			if err != nil {
				unanswered.Add(1)
				return nil
			}
			entry.Stage, entry.TaskID = status.Stage, status.TaskID
			return nil
		})
	}
	_ = queries.Wait()
}
