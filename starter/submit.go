package starter

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"lumaflow/internal/clip"
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
	return s.submit(ctx, asked{id: JobID(input, key), input: input})
}

// SubmitAs is Submit for a job id of the caller's choice. An existing job of
// that id must have been asked for the same.
func (s *Starter) SubmitAs(ctx context.Context, id string, input workflows.ModifyVideoInput) (Job, error) {
	return s.submit(ctx, asked{id: id, input: input, chosen: true})
}

// asked is a job that is asked for.
type asked struct {
	id    string
	input workflows.ModifyVideoInput
	// chosen says that the caller chose the id, so that it may stand for
	// something else.
	chosen bool
	// paidOnce leaves a job as it is whose generation failed: another run would be
	// another paid task.
	paidOnce bool
}

func (s *Starter) submit(ctx context.Context, asked asked) (Job, error) {
	if s.upload != nil {
		found, hosted, err := s.findOrUpload(ctx, asked)
		if err != nil || found.Existing {
			return found, err
		}
		asked.input.VideoURL, asked.input.VideoExpires = hosted.URL, hosted.Expires.UTC().Format(time.RFC3339)
	}
	if err := asked.input.Validate(); err != nil {
		return Job{}, err
	}
	var err error
	for range startAttempts {
		var job Job
		job, err = s.startOrFind(ctx, asked)
		if !taken(err) {
			return job, err
		}
	}
	return Job{}, failed("start job "+plain(asked.id), err)
}

// findOrUpload uploads the video of a job that is going to be started.
func (s *Starter) findOrUpload(ctx context.Context, asked asked) (found Job, hosted clip.Hosted, err error) {
	if err := asked.input.ValidateBeforeUpload(); err != nil {
		return found, hosted, err
	}
	if found, _, err = s.find(ctx, asked); err == nil && !found.Existing {
		hosted, err = s.upload(ctx)
	}
	return found, hosted, err
}

// startOrFind looks before it starts, after an upload once more: that takes its
// time.
func (s *Starter) startOrFind(ctx context.Context, asked asked) (Job, error) {
	job, reuse, err := s.find(ctx, asked)
	if err != nil || job.Existing {
		return job, err
	}
	job, err = s.start(ctx, asked, reuse)
	job.Again = err == nil && reuse == enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY
	return job, err
}

// find returns a job that is not to be started, most often because it is open or
// has completed, or else the policy that one can be started with: only a run that
// failed, and is known to have left nothing paid, may be followed by another.
func (s *Starter) find(ctx context.Context, asked asked) (existing Job, reuse enumspb.WorkflowIdReusePolicy, err error) {
	described, err := s.describe(ctx, asked.id, "")
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
		if asked.chosen {
			if err := s.checkSame(ctx, last, asked.input); err != nil {
				return Job{}, reuse, err
			}
		}
		return found(last), reuse, nil
	}
	// To adopt a task costs nothing, however often.
	if asked.input.TaskID == "" {
		if err := s.addEnd(ctx, &last); err != nil {
			return Job{}, reuse, err
		}
		if asked.paidOnce && last.Failure != nil && last.Failure.Type == workflows.GenerationFailed {
			return found(last), reuse, nil
		}
		if err := s.checkSettled(ctx, last); err != nil {
			return Job{}, reuse, err
		}
	}
	return Job{}, enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY, nil
}

func found(last Report) Job {
	return Job{WorkflowID: last.WorkflowID, RunID: last.RunID, StartedAt: last.StartedAt, Existing: true, State: last.State}
}

func (s *Starter) start(ctx context.Context, asked asked, reuse enumspb.WorkflowIdReusePolicy) (Job, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	run, err := s.temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                                       asked.id,
		TaskQueue:                                s.taskQueue,
		WorkflowIDConflictPolicy:                 enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:                    reuse,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		StaticSummary:                            summary(asked.input),
	}, workflows.ModifyVideoName, asked.input)
	switch {
	case err == nil:
		return Job{WorkflowID: asked.id, RunID: run.GetRunID(), State: StateRunning}, nil
	case taken(err):
		return Job{}, err
	case interrupted(err), unanswered(err):
		return Job{}, &trouble{"it is not known whether job " + plain(asked.id) + " was started (" + said(err) + "); run the same command again: it is the same job", err}
	default:
		return Job{}, failed("start job "+plain(asked.id), err)
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
