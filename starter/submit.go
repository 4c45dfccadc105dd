package starter

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"lumaflow/clip"
	"lumaflow/workflows"
)

// startAttempts bounds how often a start is thought over because somebody else
// started or ended the same job meanwhile.
const startAttempts = 3

// Submit starts the job that JobID names, or finds it: a job that is open or has
// completed is returned as it is. A job that ended without its video starts
// again only if that can't pay a second time; otherwise the error is an
// *UnsettledError. What Temporal has forgotten (its namespaces keep closed jobs
// for a limited time) starts anew.
func (s *Starter) Submit(ctx context.Context, input workflows.ModifyVideoInput, key string) (Job, error) {
	return s.submit(ctx, JobID(input, key), input, false)
}

// SubmitAs is Submit for a job id of the caller's choice. An existing job of
// that id must have been asked for the same.
func (s *Starter) SubmitAs(ctx context.Context, id string, input workflows.ModifyVideoInput) (Job, error) {
	return s.submit(ctx, id, input, true)
}

func (s *Starter) submit(ctx context.Context, id string, input workflows.ModifyVideoInput, chosen bool) (Job, error) {
	if s.upload != nil {
		found, hosted, err := s.findOrUpload(ctx, id, input, chosen)
		if err != nil || found.Existing {
			return found, err
		}
		input.VideoURL, input.VideoExpires = hosted.URL, hosted.Expires.UTC().Format(time.RFC3339)
	}
	if err := input.Validate(); err != nil {
		return Job{}, err
	}
	var err error
	for range startAttempts {
		var job Job
		job, err = s.startOrFind(ctx, id, input, chosen)
		if !taken(err) {
			return job, err
		}
	}
	return Job{}, failed("start job "+plain(id), err)
}

// findOrUpload uploads the video of a job that is going to be started.
func (s *Starter) findOrUpload(ctx context.Context, id string, input workflows.ModifyVideoInput, chosen bool) (found Job, hosted clip.Hosted, err error) {
	if err := input.ValidateBeforeUpload(); err != nil {
		return found, hosted, err
	}
	if found, _, err = s.find(ctx, id, input, chosen); err == nil && !found.Existing {
		hosted, err = s.upload(ctx)
	}
	return found, hosted, err
}

// startOrFind looks before it starts, after an upload once more: that takes its
// time.
func (s *Starter) startOrFind(ctx context.Context, id string, input workflows.ModifyVideoInput, chosen bool) (Job, error) {
	job, reuse, err := s.find(ctx, id, input, chosen)
	if err != nil || job.Existing {
		return job, err
	}
	job, err = s.start(ctx, id, input, reuse)
	job.Again = err == nil && reuse == enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY
	return job, err
}

// find returns a job that is open or has completed, or else the policy that one
// can be started with: only a run that failed, and is known to have left nothing
// paid, may be followed by another.
func (s *Starter) find(ctx context.Context, id string, input workflows.ModifyVideoInput, chosen bool) (existing Job, reuse enumspb.WorkflowIdReusePolicy, err error) {
	described, err := s.describe(ctx, id, "")
	if errors.Is(err, ErrNoJob) {
		// A job that comes and fails between the look and the start must not be
		// followed unseen.
		return Job{}, enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE, nil
	}
	if err != nil {
		return Job{}, reuse, err
	}
	last := newReport(described)
	if last.State.Open() || last.State == StateCompleted {
		if chosen {
			if err := s.checkSame(ctx, last, input); err != nil {
				return Job{}, reuse, err
			}
		}
		return Job{WorkflowID: id, RunID: last.RunID, StartedAt: last.StartedAt, Existing: true, State: last.State}, reuse, nil
	}
	// To adopt a task costs nothing, however often.
	if input.TaskID == "" {
		if err := s.checkSettled(ctx, last); err != nil {
			return Job{}, reuse, err
		}
	}
	return Job{}, enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY, nil
}

func (s *Starter) start(ctx context.Context, id string, input workflows.ModifyVideoInput, reuse enumspb.WorkflowIdReusePolicy) (Job, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	run, err := s.temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                                       id,
		TaskQueue:                                s.taskQueue,
		WorkflowIDConflictPolicy:                 enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:                    reuse,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		StaticSummary:                            summary(input),
	}, workflows.ModifyVideoName, input)
	switch {
	case err == nil:
		return Job{WorkflowID: id, RunID: run.GetRunID(), State: StateRunning}, nil
	case taken(err):
		return Job{}, err
	case interrupted(err), unanswered(err):
		return Job{}, &trouble{"it is not known whether job " + plain(id) + " was started (" + said(err) + "); run the same command again: it is the same job", err}
	default:
		return Job{}, failed("start job "+plain(id), err)
	}
}

// taken reports that the id was given away since the look at it.
func taken(err error) bool {
	var already *serviceerror.WorkflowExecutionAlreadyStarted
	return errors.As(err, &already)
}

// checkSame compares what an existing job was asked for with what is asked now.
// An id that a user chose may stand for something else.
func (s *Starter) checkSame(ctx context.Context, job Report, asked workflows.ModifyVideoInput) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	events := s.temporal.GetWorkflowHistory(ctx, job.WorkflowID, job.RunID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	if !events.HasNext() {
		return nil
	}
	first, err := events.Next()
	if err != nil {
		return failed("read what job "+plain(job.WorkflowID)+" was asked for", err)
	}
	var there workflows.ModifyVideoInput
	if err := s.data.FromPayloads(first.GetWorkflowExecutionStartedEventAttributes().GetInput(), &there); err != nil {
		return fmt.Errorf("job %s exists and what it was asked for can't be read (%s): choose another --id", plain(job.WorkflowID), said(err))
	}
	if JobID(there, "") != JobID(asked, "") {
		return fmt.Errorf("job %s exists and was asked for something else: choose another --id, or see it with: lumaflow status %s",
			plain(job.WorkflowID), plain(job.WorkflowID))
	}
	return nil
}
