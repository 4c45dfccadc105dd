package runs

import (
	"context"
	"fmt"
	"slices"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"golang.org/x/sync/errgroup"

	"lumaflow/internal/paid"
	"lumaflow/internal/temporal/visibility"
)

// Standing is the state of a job that decides whether it may be started again.
type Standing int

// The standings of a job.
const (
	// Open means that the run goes on, Completed that it has stored its videos: the job
	// is not to be started.
	Open Standing = iota
	Completed
	// Unpaid means that the job has paid for nothing, or adopts a task: another run
	// costs no more than the first one.
	Unpaid
	// NoVideo means that the job has paid for tasks for which kie.ai made no video:
	// another run pays again.
	NoVideo
	// Paid means that a task of the job is paid, or may be, and has no stored video: the
	// job must not be started again.
	Paid
)

// Standing returns the standing of a job by its latest run and, if that has ended
// without its videos, by all its runs. Owed is set if the job is Paid. adopts means
// that the job submits nothing.
func (r Reader) Standing(ctx context.Context, latest *workflowpb.WorkflowExecutionInfo, adopts bool) (standing Standing, owed *Payment, err error) {
	switch {
	case open(latest):
		return Open, nil, nil
	case latest.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		return Completed, nil, nil
	case adopts:
		return Unpaid, nil, nil
	}
	last, err := r.Run(ctx, latest)
	if err != nil {
		return Paid, nil, err
	}
	owed, err = r.Owed(ctx, latest.GetExecution().GetWorkflowId(), last)
	switch {
	case err != nil || owed != nil:
		return Paid, owed, err
	case last.Failure == generationFailed:
		return NoVideo, nil, nil
	default:
		return Unpaid, nil, nil
	}
}

// Owed returns a payment of a job that another run would repeat, nil if there is
// none. It reads all runs that Temporal has, beside those that are known: the last one
// may not be the one that paid. One without a stored video comes first.
func (r Reader) Owed(ctx context.Context, workflowID string, known ...Run) (*Payment, error) {
	job, err := r.Job(ctx, workflowID, known...)
	if err != nil {
		return nil, err
	}
	payments := slices.DeleteFunc(job.Payments(), func(p Payment) bool { return p.NoVideo })
	if len(payments) == 0 {
		return nil, nil
	}
	owed := payments[max(slices.IndexFunc(payments, func(p Payment) bool { return p.TaskID != "" && !p.Stored }), 0)]
	return &owed, nil
}

// Next is the command that collects the task of the payment.
func (p Payment) Next() string {
	if facts := p.Run.Facts; facts.TaskID == p.TaskID && strings.HasPrefix(facts.Next, "lumaflow ") {
		return facts.Next
	}
	return paid.CollectCommand(p.TaskID)
}

// Charges counts the paid submissions of a run. One with an unknown outcome counts.
func (r Run) Charges() int { return len(r.tasks()) }

// maxListed bounds the ids of one query.
const maxListed = 100

// Listed returns the number of runs that visibility lists for each of the ids. An id
// that Temporal has no latest run of may have earlier ones.
func (r Reader) Listed(ctx context.Context, ids []string) (listed map[string]int, err error) {
	listed = map[string]int{}
	for part := range slices.Chunk(ids, maxListed) {
		request := &workflowservice.ListWorkflowExecutionsRequest{Query: visibility.In("WorkflowId", part)}
		for more := true; more; more = len(request.NextPageToken) > 0 {
			page, err := r.Server.ListWorkflow(ctx, request)
			if err != nil {
				return nil, fmt.Errorf("list the runs of %d jobs: %w", len(ids), err)
			}
			for _, info := range page.GetExecutions() {
				listed[info.GetExecution().GetWorkflowId()]++
			}
			request.NextPageToken = page.GetNextPageToken()
		}
	}
	return listed, nil
}

// ChargesBelow counts the paid submissions of the jobs that a workflow has started, in
// all their runs, and those of the runs that are open by their ids. One with an unknown
// outcome counts. It reads visibility, which lags behind for moments.
func (r Reader) ChargesBelow(ctx context.Context, parentID string) (charges int, open map[string]int, err error) {
	type submission struct{ job, taskID string }
	known := map[submission]bool{}
	open = map[string]int{}
	request := &workflowservice.ListWorkflowExecutionsRequest{Query: visibility.Equals("ParentWorkflowId", parentID)}
	for {
		page, err := r.Server.ListWorkflow(ctx, request)
		if err != nil {
			return 0, nil, fmt.Errorf("list the jobs of %s: %w", parentID, err)
		}
		paid, err := r.runs(ctx, page.GetExecutions())
		if err != nil {
			return 0, nil, err
		}
		for i, run := range paid {
			id := page.GetExecutions()[i].GetExecution().GetWorkflowId()
			for _, taskID := range run.tasks() {
				// A job that collects a task pays nothing.
				if taskID != "" && id == CollectorID(taskID) {
					continue
				}
				known[submission{id, taskID}] = true
				if run.Open() {
					open[id]++
				}
			}
		}
		if request.NextPageToken = page.GetNextPageToken(); len(request.NextPageToken) == 0 {
			return len(known), open, nil
		}
	}
}

// maxReads bounds the concurrent reads of one list of runs.
const maxReads = 16

// runs reads runs concurrently. A run that Temporal has deleted since has no task.
func (r Reader) runs(ctx context.Context, infos []*workflowpb.WorkflowExecutionInfo) ([]Run, error) {
	read := make([]Run, len(infos))
	reads, ctx := errgroup.WithContext(ctx)
	reads.SetLimit(maxReads)
	for i, info := range infos {
		reads.Go(func() error {
			run, err := r.Run(ctx, info)
			if NotFound(err) {
				return nil
			}
			read[i] = run
			return err
		})
	}
	return read, reads.Wait()
}
