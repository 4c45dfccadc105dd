package starter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"lumaflow/internal/oneline"
	"lumaflow/internal/paid/runs"
	"lumaflow/workflows"
)

// startAttempts bounds the attempts to start a job while other clients start or
// end the same job.
const startAttempts = 3

// Submit starts the job with the id JobID, or finds it: a job that is open or has
// completed is returned unchanged. A job that ended without its video starts again
// only if that can't pay a second time; otherwise the error is a *PaidError. Closed
// jobs are found during the retention time of the namespace only; after that, the
// same request starts a new job.
func (s *Starter) Submit(ctx context.Context, input workflows.ModifyVideoInput, key string) (Job, error) {
	return s.submit(ctx, startRequest{id: JobID(input, key), input: input})
}

// SubmitAs is Submit with a job id of the caller's choice. An existing job with
// that id must have the same request.
func (s *Starter) SubmitAs(ctx context.Context, id string, input workflows.ModifyVideoInput) (Job, error) {
	return s.submit(ctx, startRequest{id: id, input: input, chosenID: true})
}

// startRequest is a job to start or to find.
type startRequest struct {
	id    string
	input workflows.ModifyVideoInput
	// chosenID means that the id is not derived from the input, so that an existing
	// job may have another input.
	chosenID bool
}

func (s *Starter) submit(ctx context.Context, sub startRequest) (Job, error) {
	if s.upload != nil {
		existing, err := s.findOrUpload(ctx, &sub)
		if err != nil || existing.Existing {
			return existing, err
		}
	}
	if err := cmp.Or(sub.input.Validate(), CheckModel(sub.input)); err != nil {
		return Job{}, err
	}
	var job Job
	var err error
	for range startAttempts {
		if job, err = s.startOrFind(ctx, sub); !runs.AlreadyStarted(err) {
			return job, err
		}
	}
	return Job{}, failed("start job "+oneline.Clean(sub.id), err)
}

// findOrUpload uploads the video of a job that is to be started and sets its
// address.
func (s *Starter) findOrUpload(ctx context.Context, sub *startRequest) (existing Job, err error) {
	if err := cmp.Or(sub.input.ValidateBeforeUpload(), CheckModel(sub.input)); err != nil {
		return Job{}, err
	}
	existing, _, err = s.find(ctx, *sub)
	if err != nil || existing.Existing {
		return existing, err
	}
	url, expires, err := s.upload(ctx)
	sub.input.VideoURL, sub.input.VideoExpires = url, expires.UTC().Format(time.RFC3339)
	return Job{}, err
}

// startOrFind repeats find after an upload, which takes minutes.
func (s *Starter) startOrFind(ctx context.Context, sub startRequest) (Job, error) {
	job, reuse, err := s.find(ctx, sub)
	if err != nil || job.Existing {
		return job, err
	}
	job, err = s.start(ctx, sub, reuse)
	job.Again = err == nil && reuse == enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY
	return job, err
}

// find returns an existing job that is not to be started again, or the policy for
// its start: another run may follow only one that failed and has left nothing
// paid.
func (s *Starter) find(ctx context.Context, sub startRequest) (existing Job, reuse enumspb.WorkflowIdReusePolicy, err error) {
	described, err := s.describe(ctx, sub.id, "")
	if errors.Is(err, ErrNoJob) {
		if err = nil; sub.input.TaskID == "" {
			err = s.checkForgotten(ctx, sub)
		}
		// Another client may start the job, which may fail after it paid, before
		// this one starts it.
		return Job{}, enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE, err
	}
	if err != nil {
		return Job{}, reuse, err
	}
	info := described.GetWorkflowExecutionInfo()
	last := newReport(info)
	if sub.id == runs.CollectorID(sub.input.TaskID) && runs.IsMark(info) {
		// Its process died before it terminated the mark, which has not begun.
		return Job{}, enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY, s.endMark(ctx, last)
	}
	existing = Job{Report: last, Existing: true}
	if last.State.Open() || last.State == StateCompleted {
		if sub.chosenID {
			if err := s.checkSameRequest(ctx, last, sub.input); err != nil {
				return Job{}, reuse, err
			}
		}
		return existing, reuse, nil
	}
	reading, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	_, owed, err := s.runs.Standing(reading, info, sub.input.TaskID != "")
	switch {
	case err != nil:
		return Job{}, reuse, failed("find out whether job "+oneline.Clean(sub.id)+" has paid for a task", err)
	case owed != nil:
		return Job{}, reuse, paidError(sub.id, owed)
	}
	return Job{}, enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY, nil
}

// endMark terminates a mark, so that its job can start.
func (s *Starter) endMark(ctx context.Context, mark Report) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := s.temporal.TerminateWorkflow(ctx, mark.WorkflowID, mark.RunID, "a person starts the job")
	if err != nil && !runs.NotFound(err) {
		return failed("start job "+oneline.Clean(mark.WorkflowID), err)
	}
	return nil
}

func (s *Starter) start(ctx context.Context, sub startRequest, reuse enumspb.WorkflowIdReusePolicy) (Job, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	run, err := s.temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                                       sub.id,
		TaskQueue:                                s.taskQueue,
		WorkflowIDConflictPolicy:                 enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:                    reuse,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		StaticSummary:                            sub.input.Summary(),
	}, workflows.ModifyVideoName, sub.input)
	switch {
	case err == nil:
		return Job{Report: Report{WorkflowID: sub.id, RunID: run.GetRunID(), State: StateRunning}}, nil
	case runs.AlreadyStarted(err):
		return Job{}, err
	case interrupted(err), unanswered(err):
		return Job{}, &requestError{"it is unknown whether job " + oneline.Clean(sub.id) + " was started (" + errorText(err) + "); run the same command again: it is the same job", err}
	default:
		return Job{}, failed("start job "+oneline.Clean(sub.id), err)
	}
}

// checkSameRequest compares an input with that of an existing job.
func (s *Starter) checkSameRequest(ctx context.Context, job Report, input workflows.ModifyVideoInput) error {
	id := oneline.Clean(job.WorkflowID)
	existing, decoded, err := s.input(ctx, job)
	switch {
	case err != nil:
		return failed("read the request of job "+id, err)
	case decoded != nil:
		return fmt.Errorf("job %s exists and its request can't be read (%s): choose another --id", id, errorText(decoded))
	case JobID(existing, "") != JobID(input, ""):
		return fmt.Errorf("job %s exists with another request: choose another --id, or see it with: lumaflow status %s", id, id)
	default:
		return nil
	}
}

// input returns the input of a run. Decoded is the error of an input that can't be
// read.
func (s *Starter) input(ctx context.Context, run Report) (input workflows.ModifyVideoInput, decoded, err error) {
	decoded, err = s.decodeInput(ctx, run.WorkflowID, run.RunID, &input)
	return input, decoded, err
}

// decodeInput reads the input of a run, which is in the first event of its history.
func (s *Starter) decodeInput(ctx context.Context, id, runID string, into any) (decoded, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	events := s.temporal.GetWorkflowHistory(ctx, id, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	if !events.HasNext() {
		return errors.New("its history is empty"), nil
	}
	first, err := events.Next()
	if err != nil {
		return nil, err
	}
	return s.of(id).Data.FromPayloads(first.GetWorkflowExecutionStartedEventAttributes().GetInput(), into), nil
}
