package activities

import (
	"context"
	"encoding/json"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"golang.org/x/sync/errgroup"

	"lumaflow/internal/manifest"
	"lumaflow/internal/paid/runs"
)

const (
	// maxLookups bounds the concurrent look-ups of jobs of one activity.
	maxLookups = 16
	// maxPageBytes bounds the inputs of one page in bytes, far below Temporal's limit
	// for a payload, 2 MB. A page holds at least one job.
	maxPageBytes = 256 << 10
)

// PageInput selects the next jobs of a manifest.
type PageInput struct {
	Batch Batch `json:"batch"`
	// Next is the index of the first line, from 0, and Count the number of lines.
	Next  int `json:"next"`
	Count int `json:"count"`
	// Unique means that no line of the manifest repeats another one, so that those before
	// Next need not be parsed.
	Unique bool `json:"unique,omitempty"`
	// RetryFailed also selects jobs whose generation failed, and the collection of tasks
	// that are paid and not stored.
	RetryFailed bool `json:"retryFailed,omitempty"`
}

// Page are the next jobs of a manifest, in its order. It is shorter than requested if
// the manifest ends or the inputs are large.
type Page struct {
	Jobs []FoundJob `json:"jobs,omitempty"`
}

// FoundJob is a job of a manifest, as Temporal has it.
type FoundJob struct {
	manifest.Order
	// Collector is the workflow id of the job that collects the task of the job, if that
	// one is to be run or was found; else it is empty.
	Collector string `json:"collector,omitempty"`
	// State is one of the Found constants.
	State string `json:"state"`
	// Run is the latest run of a job that is open.
	Run string `json:"run,omitempty"`
	// End is set if the job has ended and is not to be run.
	End *JobEnd `json:"end,omitempty"`
	// Charges counts the paid submissions of the runs of this batch, which for a job
	// that is open are those of its earlier runs. Pays means that the job is open, and
	// that its end may add to them.
	Charges int  `json:"charges,omitempty"`
	Pays    bool `json:"pays,omitempty"`
}

// The states of a FoundJob.
const (
	// FoundNew means that Temporal has no run of the job.
	FoundNew = "new"
	// FoundAgain means that the job may be started although it has run before.
	FoundAgain = "again"
	FoundOpen  = "open"
	FoundEnded = "ended"
	// FoundRepeated means that the line repeats another one.
	FoundRepeated = "repeated"
)

// NextJobs reads the next jobs of a manifest and looks each up in Temporal. A job is
// to be started only if that can't pay a second time; with RetryFailed also if kie.ai
// made no video for what was paid.
func (b *Batches) NextJobs(ctx context.Context, input PageInput) (Page, error) {
	return withHeartbeat(ctx, nil, func(ctx context.Context) (Page, error) {
		orders, err := b.page(ctx, input)
		if err != nil {
			return Page{}, err
		}
		return b.lookUp(ctx, input, orders)
	})
}

// page reads the lines that are selected.
func (b *Batches) page(ctx context.Context, input PageInput) ([]manifest.Order, error) {
	var orders []manifest.Order
	index, size := 0, 0
	if input.Unique {
		index = input.Next
	}
	_, err := b.readFrom(ctx, input.Batch, index, func(order manifest.Order) bool {
		index++
		if index <= input.Next {
			return true
		}
		if size += len(order.Input); len(orders) > 0 && size > maxPageBytes {
			return false
		}
		orders = append(orders, order)
		return len(orders) < input.Count
	})
	return orders, err
}

// lookUp finds what Temporal has of each job.
func (b *Batches) lookUp(ctx context.Context, input PageInput, orders []manifest.Order) (Page, error) {
	ids := make([]string, len(orders))
	for i, order := range orders {
		ids[i] = order.ID
	}
	listed, err := b.options.Runs.Listed(ctx, ids)
	if err != nil {
		return Page{}, retryable(ProviderUnavailable, "list the jobs of the batch", err, 0)
	}
	search := search{batches: b, input: input, listed: listed}
	page := Page{Jobs: make([]FoundJob, len(orders))}
	err = eachOf(ctx, len(orders), func(ctx context.Context, i int) error {
		found, err := search.find(ctx, orders[i])
		page.Jobs[i] = found
		return err
	})
	if err != nil {
		return Page{}, retryable(ProviderUnavailable, "look up the jobs of the batch", err, 0)
	}
	return page, nil
}

// eachOf calls do for the numbers below count, concurrently.
func eachOf(ctx context.Context, count int, do func(ctx context.Context, i int) error) error {
	calls, ctx := errgroup.WithContext(ctx)
	calls.SetLimit(maxLookups)
	for i := range count {
		calls.Go(func() error { return do(ctx, i) })
	}
	return calls.Wait()
}

// search looks up the jobs of one page.
type search struct {
	batches *Batches
	input   PageInput
	// listed are the jobs with runs in visibility, by their number.
	listed map[string]int
}

func (s search) find(ctx context.Context, order manifest.Order) (FoundJob, error) {
	found := FoundJob{Order: order}
	if order.Repeats != 0 {
		found.State, found.Input = FoundRepeated, nil
		return found, nil
	}
	described, err := s.batches.describe(ctx, order.ID)
	if err != nil {
		return found, err
	}
	latest := described.GetWorkflowExecutionInfo()
	if latest == nil {
		return s.findForgotten(ctx, found)
	}
	reader := s.batches.options.Runs
	standing, owed, err := reader.Standing(ctx, latest, order.Adopts)
	if err != nil {
		return found, err
	}
	if !order.Adopts && (standing != runs.Open || s.listed[order.ID] > 1) {
		if found.Charges, err = s.charges(ctx, latest); err != nil {
			return found, err
		}
	}
	switch {
	case standing == runs.Open:
		found.State, found.Run, found.Input = FoundOpen, latest.GetExecution().GetRunId(), nil
		found.Pays = !order.Adopts && s.input.Batch.owns(latest)
		return found, nil
	case standing == runs.Paid && owed.TaskID != "":
		return s.findCollector(ctx, found, *owed, latest)
	case standing == runs.Unpaid, standing == runs.NoVideo && s.input.RetryFailed:
		found.State = FoundAgain
		return found, nil
	default:
		return s.ended(ctx, found, latest, owed)
	}
}

// findForgotten is for a job without a latest run. A person may have deleted it, and
// an earlier one may have paid.
func (s search) findForgotten(ctx context.Context, found FoundJob) (FoundJob, error) {
	found.State = FoundNew
	if s.listed[found.ID] == 0 || found.Adopts {
		return found, nil
	}
	owed, err := s.batches.options.Runs.Owed(ctx, found.ID)
	if err != nil || owed == nil {
		return found, err
	}
	return s.ended(ctx, found, owed.Run.Info, owed)
}

// findCollector finds the job that collects a paid task of a job, which costs nothing.
// It is to be started only with RetryFailed.
func (s search) findCollector(ctx context.Context, found FoundJob, owed runs.Payment, latest *workflowpb.WorkflowExecutionInfo) (FoundJob, error) {
	id := runs.CollectorID(owed.TaskID)
	described, err := s.batches.describe(ctx, id)
	if err != nil {
		return found, err
	}
	info := described.GetWorkflowExecutionInfo()
	switch {
	case info == nil:
	case runs.IsOpen(info) && !runs.IsMark(info):
		found.Collector, found.State, found.Run, found.Input = id, FoundOpen, info.GetExecution().GetRunId(), nil
		return found, nil
	case info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		found.Collector = id
		return s.ended(ctx, found, info, nil)
	}
	if !s.input.RetryFailed || info != nil && runs.IsMark(info) {
		return s.ended(ctx, found, latest, &owed)
	}
	var named struct {
		Name string `json:"name,omitempty"`
	}
	if err := json.Unmarshal(found.Input, &named); err != nil {
		return found, fmt.Errorf("read the name of job %s: %w", found.ID, err)
	}
	found.Collector, found.State, found.Adopts = id, FoundAgain, true
	found.Input, err = json.Marshal(struct {
		TaskID string `json:"taskId"`
		Name   string `json:"name,omitempty"`
	}{owed.TaskID, named.Name})
	return found, err
}

// ended is the end of a job that is not to be run.
func (s search) ended(ctx context.Context, found FoundJob, info *workflowpb.WorkflowExecutionInfo, owed *runs.Payment) (FoundJob, error) {
	end, err := s.batches.ending(ctx, info)
	if err != nil {
		return found, err
	}
	if owed != nil {
		end.TaskID, end.Next = owed.TaskID, owed.Next()
	}
	found.State, found.End, found.Input = FoundEnded, &end, nil
	return found, nil
}

// charges counts what the runs of this batch have paid. The end of an open run adds
// what that one has paid.
func (s search) charges(ctx context.Context, latest *workflowpb.WorkflowExecutionInfo) (charges int, err error) {
	if !s.input.Batch.owns(latest) {
		return 0, nil
	}
	reader, id := s.batches.options.Runs, latest.GetExecution().GetWorkflowId()
	if s.listed[id] <= 1 {
		run, err := reader.Run(ctx, latest)
		return run.Charges(), err
	}
	job, err := reader.Job(ctx, id)
	for _, payment := range job.Payments() {
		if !payment.Run.Open() {
			charges++
		}
	}
	return charges, err
}

// owns reports whether the batch has started a run.
func (b Batch) owns(run *workflowpb.WorkflowExecutionInfo) bool {
	return run.GetParentExecution().GetWorkflowId() == b.ID
}
