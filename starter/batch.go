package starter

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"lumaflow/internal/oneline"
	"lumaflow/internal/paid/runs"
	"lumaflow/workflows/batches"
)

// The causes of errors about batches.
var (
	// ErrNoBatch means that Temporal has no batch with an id.
	ErrNoBatch = errors.New("no such batch")
	// ErrOtherWorkflow means that an id belongs to a workflow of another type.
	ErrOtherWorkflow = errors.New("no batch but another workflow")
	// ErrBatchExists means that the chosen id belongs to a batch of other jobs.
	ErrBatchExists = errors.New("the batch exists with other jobs")
	// ErrBatchEnded means that a batch is over and takes no updates.
	ErrBatchEnded = errors.New("the batch is over")
	// ErrBatchOpen means that a batch is not over.
	ErrBatchOpen = errors.New("the batch is open")
	// ErrRefused means that the batch has rejected an update.
	ErrRefused = errors.New("the batch refuses the update")
	// ErrNothingToRetry means that all jobs of a batch have their videos.
	ErrNothingToRetry = errors.New("nothing to retry")
)

// BatchReport is the status of a batch. Its names in JSON are part of the command
// line.
type BatchReport struct {
	WorkflowID string    `json:"workflowId"`
	RunID      string    `json:"runId"`
	State      State     `json:"state"`
	StartedAt  time.Time `json:"startedAt,omitzero"`
	ClosedAt   time.Time `json:"closedAt,omitzero"`
	// Progress is the answer to the progress query of a batch without a result; nil if
	// no worker answered.
	Progress *batches.Progress `json:"progress,omitempty"`
	// Result is set if the batch has completed, Failure if it ended in any other way.
	Result  *batches.Result `json:"result,omitempty"`
	Failure *Failure        `json:"failure,omitempty"`
	// Note is the reason for a missing Progress, and the next step.
	Note string `json:"note,omitempty"`
}

// AllStored reports whether the batch is over and every job has its videos.
func (r BatchReport) AllStored() bool { return r.Result != nil && r.Result.Done == r.Result.Jobs }

// Batch is a batch that StartBatch or RetryBatch has started or found.
type Batch struct {
	BatchReport
	// Existing means that the batch existed before and nothing was started. Again means
	// that it was started after a run that had ended.
	Existing, Again bool
	// Budget is that of a batch that RetryBatch has started again, Charges the
	// submissions that it has paid before, as far as its last result has them.
	Budget, Charges int
}

// BatchRequest is a batch to start.
type BatchRequest struct {
	ID string
	// ChosenID means that ID is not derived from the jobs.
	ChosenID bool
	// Input must have a SHA256.
	Input batches.Input
}

// StartBatch starts a batch or finds it: one that is open, or whose jobs all have
// their videos, is returned unchanged. One that ended in any other way starts again,
// and finds the jobs that it has started. The error wraps ErrBatchExists if the chosen
// id has other jobs.
func (s *Starter) StartBatch(ctx context.Context, request BatchRequest) (Batch, error) {
	if err := request.Input.Validate(); err != nil {
		return Batch{}, err
	}
	var started Batch
	var err error
	for range startAttempts {
		if started, err = s.startOrFindBatch(ctx, request); !runs.AlreadyStarted(err) {
			return started, err
		}
	}
	return Batch{}, failed("start batch "+oneline.Clean(request.ID), err)
}

func (s *Starter) startOrFindBatch(ctx context.Context, request BatchRequest) (Batch, error) {
	found, _, err := s.findBatch(ctx, request.ID)
	if errors.Is(err, ErrNoBatch) {
		return s.startBatch(ctx, request.ID, request.Input)
	}
	if err != nil {
		return Batch{}, err
	}
	if request.ChosenID {
		input, err := s.batchInput(ctx, found)
		if err != nil {
			return Batch{}, err
		}
		if input.SHA256 != request.Input.SHA256 {
			id := oneline.Clean(request.ID)
			return Batch{}, &requestError{fmt.Sprintf("batch %s exists with other jobs: choose another --id, or see it with: lumaflow batch status %s", id, id), ErrBatchExists}
		}
	}
	if found.State.Open() || found.AllStored() {
		return Batch{BatchReport: found, Existing: true}, nil
	}
	started, err := s.startBatch(ctx, request.ID, request.Input)
	started.Again = err == nil
	return started, err
}

func (s *Starter) startBatch(ctx context.Context, id string, input batches.Input) (Batch, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	run, err := s.temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:        id,
		TaskQueue: s.taskQueue,
		// Its jobs pay once, whatever is done to the batch.
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		StaticSummary:                            "batch of jobs",
	}, batches.ModifyVideosName, input)
	switch {
	case err == nil:
		return Batch{BatchReport: BatchReport{WorkflowID: id, RunID: run.GetRunID(), State: StateRunning}}, nil
	case runs.AlreadyStarted(err):
		return Batch{}, err
	case interrupted(err), unanswered(err):
		return Batch{}, &requestError{"it is unknown whether batch " + oneline.Clean(id) + " was started (" + errorText(err) + "); run the same command again: it is the same batch", err}
	default:
		return Batch{}, failed("start batch "+oneline.Clean(id), err)
	}
}

// BatchStatus reports on a batch. It queries one that is open, or has no result; if no
// worker answers, the report has a note with the next step. The error wraps ErrNoBatch
// if there is no such batch.
func (s *Starter) BatchStatus(ctx context.Context, id string) (BatchReport, error) {
	report, described, err := s.findBatch(ctx, id)
	if err != nil || report.Result != nil {
		return report, err
	}
	querying, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	var progress batches.Progress
	answer, err := s.temporal.QueryWorkflow(querying, id, report.RunID, batches.ProgressQuery)
	if err == nil {
		err = answer.Get(&progress)
	}
	switch {
	case ctx.Err() != nil:
		return report, context.Cause(ctx)
	case err == nil:
		report.Progress = &progress
	case !report.State.Open():
		// Its failure describes it.
	default:
		if report.Note = s.workflowTaskNote(ctx, described, err); report.Note == "" {
			report.Note = s.queryNote(ctx, queueOf(described), err)
		}
	}
	return report, nil
}

// findBatch describes the latest run of a batch, and its end if it has ended.
func (s *Starter) findBatch(ctx context.Context, id string) (BatchReport, *workflowservice.DescribeWorkflowExecutionResponse, error) {
	describing, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	description, err := s.temporal.DescribeWorkflow(describing, id, "")
	switch {
	case runs.NotFound(err):
		return BatchReport{}, nil, &requestError{"there is no batch " + oneline.Clean(id) + ": it was never started in this namespace, or its retention time is over; list the batches with: temporal workflow list --query \"WorkflowType='ModifyVideos'\"", ErrNoBatch}
	case err != nil:
		return BatchReport{}, nil, failed("look up batch "+oneline.Clean(id), err)
	}
	described := description.RawResponse
	info := described.GetWorkflowExecutionInfo()
	if name := info.GetType().GetName(); name != batches.ModifyVideosName {
		return BatchReport{}, nil, &requestError{oneline.Clean(id) + " is no batch but a workflow of type " + oneline.Clean(name), ErrOtherWorkflow}
	}
	job := newReport(info)
	report := BatchReport{WorkflowID: id, RunID: job.RunID, State: job.State, StartedAt: job.StartedAt, ClosedAt: job.ClosedAt}
	if report.State.Open() {
		return report, described, nil
	}
	event, err := s.runs.End(describing, id, report.RunID, false)
	if err != nil {
		return report, described, failed("find out how batch "+oneline.Clean(id)+" ended", err)
	}
	completed := event.GetWorkflowExecutionCompletedEventAttributes()
	if completed == nil {
		report.Failure = failureOf(event, s.of(id))
		return report, described, nil
	}
	if err := s.of(id).Data.FromPayloads(completed.GetResult(), &report.Result); err != nil {
		return report, described, failed("read the result of batch "+oneline.Clean(id), err)
	}
	return report, described, nil
}

// batchInput is the input with which a batch can be started again: that of the run
// without the state that its earlier runs have left.
func (s *Starter) batchInput(ctx context.Context, batch BatchReport) (input batches.Input, err error) {
	decoded, err := s.decodeInput(ctx, batch.WorkflowID, batch.RunID, &input)
	if err == nil {
		err = decoded
	}
	if err != nil {
		return input, failed("read the input of batch "+oneline.Clean(batch.WorkflowID), err)
	}
	if state := input.Continued; state != nil {
		input.Manifest, input.SHA256, input.Items, input.Continued = state.Manifest, state.SHA256, nil, nil
	}
	return input, nil
}
