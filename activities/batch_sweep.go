package activities

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"lumaflow/internal/oneline"
	"lumaflow/internal/paid/runs"
)

// maxEndReason bounds the text of an end in bytes.
const maxEndReason = 500

// describe returns the latest run of a job; nil if there is none.
func (b *Batches) describe(ctx context.Context, id string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	described, err := b.options.Runs.Server.DescribeWorkflow(ctx, id, "")
	switch {
	case runs.NotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("describe %s: %w", id, err)
	default:
		return described.RawResponse, nil
	}
}

var outcomes = map[enumspb.WorkflowExecutionStatus]string{
	enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:  OutcomeDone,
	enumspb.WORKFLOW_EXECUTION_STATUS_FAILED:     OutcomeFailed,
	enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED:   OutcomeCancelled,
	enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED: OutcomeTerminated,
	enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT:  OutcomeTimedOut,
}

// ending reads the end of a run that is over.
func (b *Batches) ending(ctx context.Context, info *workflowpb.WorkflowExecutionInfo) (JobEnd, error) {
	end := JobEnd{Job: info.GetExecution().GetWorkflowId(), Run: info.GetExecution().GetRunId(), Outcome: outcomes[info.GetStatus()]}
	ending, err := b.options.Runs.Ending(ctx, info, b.options.Payloads.Of(b.options.Runs.Namespace, end.Job))
	switch {
	case runs.NotFound(err):
		return deleted(end.Job), nil
	case err != nil:
		return end, err
	}
	end.TaskID, end.Files, end.Charges = ending.Facts.TaskID, ending.Files, ending.Charges()
	end.Model, end.Credits = cmp.Or(ending.Model, ending.Facts.Model), cmp.Or(ending.Credits, ending.Facts.Credits)
	end.Failure, end.Reason = ending.Failure, oneline.Truncate(ending.Reason, maxEndReason)
	if strings.HasPrefix(ending.Facts.Next, "lumaflow ") {
		end.Next = ending.Facts.Next
	}
	return end, nil
}

// deleted is the end of a job that Temporal does not have any more. What it paid is
// unknown, which counts as paid.
func deleted(id string) JobEnd {
	return JobEnd{Job: id, Outcome: OutcomeDeleted, Charges: 1, Reason: "Temporal has no such job any more: a person deleted it, or its retention time is over"}
}

// SweepInput are the open jobs of a batch.
type SweepInput struct {
	Batch Batch    `json:"batch"`
	Jobs  []string `json:"jobs"`
	// Probe is the job that submits while kie.ai holds the account; empty if there is
	// none yet. OpenSince is the time at which it was no longer held; zero if it is.
	Probe     string    `json:"probe,omitempty"`
	OpenSince time.Time `json:"openSince,omitzero"`
}

// Swept are the jobs of a SweepInput that are not open any more, and those that kie.ai
// holds for a reason that concerns the whole account.
type Swept struct {
	Ended []JobEnd  `json:"ended,omitempty"`
	Held  []HeldJob `json:"held,omitempty"`
	// Probe is the one of the held jobs that submits until kie.ai accepts it, the others
	// wait for its end; empty if no job is held, or if that of the input is not: then the
	// others submit again.
	Probe string `json:"probe,omitempty"`
}

// HeldJob is a job that kie.ai holds.
type HeldJob struct {
	Job    string `json:"job"`
	Reason string `json:"reason"`
	// RefusedAt is the time of the refusal that the job waits for to end.
	RefusedAt time.Time `json:"refusedAt,omitzero"`
	// Own means that the batch has started the job.
	Own bool `json:"own,omitempty"`
}

// SweepJobs describes the open jobs of a batch. It finds every end, also of jobs that
// can't report it: terminated, timed out, deleted ones and those of other clients. A
// job that was reset is open.
func (b *Batches) SweepJobs(ctx context.Context, input SweepInput) (Swept, error) {
	var mu sync.Mutex
	var swept Swept
	err := eachOf(ctx, len(input.Jobs), func(ctx context.Context, i int) error {
		end, held, err := b.sweep(ctx, input.Batch, input.Jobs[i])
		mu.Lock()
		defer mu.Unlock()
		if end != nil {
			swept.Ended = append(swept.Ended, *end)
		}
		if held != nil {
			swept.Held = append(swept.Held, *held)
		}
		return err
	})
	if err != nil {
		return Swept{}, retryable(ProviderUnavailable, "look up the open jobs of the batch", err, 0)
	}
	swept.Probe = probeOf(input, swept.Held)
	return swept, nil
}

// probeOf keeps the job that probes as long as it is held. When it is no longer, the
// account is open, and the first job of the window probes that was refused after that:
// the others only have not submitted again yet. Only a job of the batch probes for it:
// a job of another batch waits for the one that its own batch names, and two batches
// that name each other's jobs would wait forever.
func probeOf(input SweepInput, held []HeldJob) string {
	refused := map[string]time.Time{}
	for _, job := range held {
		if job.Own {
			refused[job.Job] = job.RefusedAt
		}
	}
	if _, isHeld := refused[input.Probe]; isHeld {
		return input.Probe
	}
	if input.Probe != "" && input.OpenSince.IsZero() {
		return ""
	}
	for _, id := range input.Jobs {
		if at, isHeld := refused[id]; isHeld && !at.Before(input.OpenSince) {
			return id
		}
	}
	return ""
}

// sweep returns the end of a job, or that kie.ai holds it.
func (b *Batches) sweep(ctx context.Context, batch Batch, id string) (end *JobEnd, held *HeldJob, err error) {
	described, err := b.describe(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	info := described.GetWorkflowExecutionInfo()
	switch {
	case info == nil:
		gone := deleted(id)
		return &gone, nil, nil
	case runs.IsOpen(info):
		if hold := b.heldBy(described); hold != nil {
			held = &HeldJob{Job: id, Reason: hold.Reason, RefusedAt: hold.RefusedAt, Own: batch.owns(info)}
		}
		return nil, held, nil
	}
	ending, err := b.ending(ctx, info)
	if !batch.owns(info) {
		ending.Charges = 0
	}
	return &ending, nil, err
}

// accountHolds are the codes of kie.ai's refusals that concern all jobs of an account:
// the key, the credit and the cap of the key, and maintenance.
var accountHolds = map[int]bool{401: true, 402: true, 433: true, 455: true}

// heldBy is the refusal by which kie.ai holds a job, if it concerns the whole account;
// else nil. A submission that an operator has paused waits for the operator.
func (b *Batches) heldBy(described *workflowservice.DescribeWorkflowExecutionResponse) *Hold {
	details := runs.PendingSubmit(described).GetLastFailure().GetApplicationFailureInfo().GetDetails()
	var hold Hold
	if b.options.Runs.Data.FromPayloads(details, &hold) != nil || !accountHolds[hold.Code] {
		return nil
	}
	return &hold
}

// PaidBefore counts the submissions that a batch has paid when one of its runs begins.
type PaidBefore struct {
	Charges int `json:"charges"`
	// Open are those of the Charges that open jobs have, by their ids: their ends report
	// them once more.
	Open map[string]int `json:"open,omitempty"`
}

// CountCharges counts the submissions that all runs of a batch have paid.
func (b *Batches) CountCharges(ctx context.Context, batch Batch) (PaidBefore, error) {
	return withHeartbeat(ctx, nil, func(ctx context.Context) (PaidBefore, error) {
		charges, open, err := b.options.Runs.ChargesBelow(ctx, batch.ID)
		if err != nil {
			return PaidBefore{}, retryable(ProviderUnavailable, "count what the batch has paid", err, 0)
		}
		return PaidBefore{Charges: charges, Open: open}, nil
	})
}
