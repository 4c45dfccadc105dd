package runs

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"lumaflow/internal/paid"
)

// Run is one run of a job and what it has paid.
type Run struct {
	Info  *workflowpb.WorkflowExecutionInfo
	Facts paid.Facts
	// Failure is the type of the application failure that ended the run, else empty.
	Failure string
	// firstRunID is the first run of the chain, if the payments depend on it.
	firstRunID string
}

// Open reports whether the run has not ended: it accepts signals.
func (r Run) Open() bool { return open(r.Info) }

// IsOpen reports whether a run has not ended.
func IsOpen(run *workflowpb.WorkflowExecutionInfo) bool { return open(run) }

func open(run *workflowpb.WorkflowExecutionInfo) bool {
	switch run.GetStatus() {
	case enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED:
		return true
	default:
		return false
	}
}

// taskEnd is what a run has found to be the end of a task.
type taskEnd int

const (
	// noEnd means that the task is open, or not that of the run.
	noEnd taskEnd = iota
	// stored means that the run has stored the video, failed that the generation
	// failed.
	stored
	failed
	// gone means that kie.ai has no video of the task.
	gone
)

// endOf returns the end of a task in the run.
func (r Run) endOf(taskID string) taskEnd {
	switch {
	case taskID == "" || r.Facts.TaskID != taskID || r.Open():
		return noEnd
	case r.Info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		return stored
	case r.Facts.PaidOpen:
		return noEnd
	case r.Failure == invalidRequest:
		// The model or the key did not match the task; that proves nothing about the video.
		return noEnd
	case r.Failure == generationFailed:
		return failed
	default:
		return gone
	}
}

// MediaGone reports whether the run has found that kie.ai has the video of its task no
// more.
func (r Run) MediaGone() bool {
	return r.Failure == "ResultOverdue" && r.endOf(r.Facts.TaskID) == gone
}

// tasks are the tasks that the run may have paid; an empty id is a task with an
// unknown one.
func (r Run) tasks() []string {
	facts := r.Facts
	if r.Failure == invalidRequest && !facts.PaidOpen {
		// An invalid request names a task that kie.ai has no record of.
		facts.TaskID = ""
	}
	return facts.Tasks()
}

// Payment is a task that a job has paid, or may have.
type Payment struct {
	// Run is the latest run that names the task.
	Run Run
	// TaskID is empty if the id is unknown.
	TaskID string
	// Stored means that a run of the job has stored the video, NoVideo that the
	// generation failed, Gone that kie.ai has the video no more.
	Stored, NoVideo, Gone bool
}

// Job is the runs of one id, the latest first.
type Job []Run

// Payments returns the payments of the job, those of the latest run first. A
// submission with an unknown outcome is left out if a later run of the same chain
// has found its task or carries it on.
func (j Job) Payments() (payments []Payment) {
	for i, run := range j {
		for _, taskID := range run.tasks() {
			known := slices.IndexFunc(payments, func(p Payment) bool { return taskID != "" && p.TaskID == taskID })
			switch {
			case taskID == "" && j[:i].continues(run):
			case known < 0:
				payments = append(payments, Payment{
					Run: run, TaskID: taskID,
					Stored:  slices.ContainsFunc(j, func(r Run) bool { return r.endOf(taskID) == stored }),
					NoVideo: slices.ContainsFunc(j, func(r Run) bool { return r.endOf(taskID) == failed }),
					Gone:    slices.ContainsFunc(j, func(r Run) bool { return r.MediaGone() && r.Facts.TaskID == taskID }),
				})
			default:
				payments[known].Run.Facts = withTimes(payments[known], run.Facts)
			}
		}
	}
	return payments
}

// withTimes adds the times and the cost that only an earlier run has.
func withTimes(payment Payment, earlier paid.Facts) paid.Facts {
	facts := payment.Run.Facts
	if facts.TaskID == payment.TaskID && earlier.TaskID == payment.TaskID {
		facts.SubmittedAt = cmp.Or(facts.SubmittedAt, earlier.SubmittedAt)
		facts.EndedAt = cmp.Or(facts.EndedAt, earlier.EndedAt)
		facts.Credits = cmp.Or(facts.Credits, earlier.Credits)
	}
	return facts
}

// continues reports whether a run of the job continues the unknown submission of an
// earlier run: each run of a chain begins with what the earlier ones have paid.
func (j Job) continues(earlier Run) bool {
	return slices.ContainsFunc(j, func(later Run) bool {
		adopts := later.Facts.TaskID != "" && later.Facts.TaskID != earlier.Facts.TaskID
		return earlier.firstRunID != "" && later.firstRunID == earlier.firstRunID && (adopts || later.Facts.Unknown())
	})
}

// Job reads the runs of an id that visibility lists, and those that are known, which
// it may lack for moments. Runs that are deleted are left out.
func (r Reader) Job(ctx context.Context, workflowID string, known ...Run) (Job, error) {
	job := Job(slices.Clone(known))
	listed, err := r.All(ctx, workflowID)
	if err != nil {
		return nil, err
	}
	for _, info := range listed {
		if slices.ContainsFunc(known, func(k Run) bool { return k.Info.GetExecution().GetRunId() == info.GetExecution().GetRunId() }) {
			continue
		}
		run, err := r.Run(ctx, info)
		if NotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		job = append(job, run)
	}
	slices.SortStableFunc(job, func(a, b Run) int { return b.Info.GetStartTime().AsTime().Compare(a.Info.GetStartTime().AsTime()) })
	return job, r.readChains(ctx, job)
}

// readChains reads the chain of each run, which lists lack, if there is an unknown
// submission that another run may continue.
func (r Reader) readChains(ctx context.Context, job Job) error {
	if len(job) < 2 || !slices.ContainsFunc(job, func(run Run) bool { return run.Facts.Unknown() }) {
		return nil
	}
	for i, run := range job {
		execution := run.Info.GetExecution()
		described, err := r.Server.DescribeWorkflow(ctx, execution.GetWorkflowId(), execution.GetRunId())
		if err != nil && !NotFound(err) {
			return fmt.Errorf("describe run %s of %s: %w", execution.GetRunId(), execution.GetWorkflowId(), err)
		}
		if err == nil {
			job[i].firstRunID = described.RawResponse.GetWorkflowExecutionInfo().GetFirstRunId()
		}
	}
	return nil
}
