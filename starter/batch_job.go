package starter

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/api/serviceerror"
	"google.golang.org/grpc/codes"

	"lumaflow/workflows"
)

// quietTime is how long no job is asked after a worker did not answer.
const quietTime = 30 * time.Second

// startOne starts one job. The error is one that concerns all of them.
func (m *many) startOne(ctx context.Context, place int) error {
	order, outcome := m.orders[place], &m.outcomes[place]
	job, err := m.submit(ctx, asked{id: outcome.WorkflowID, input: order.Input, paidOnce: !m.RetryFailed})
	var unsettled *UnsettledError
	switch {
	case err == nil:
		outcome.RunID, outcome.StartedAt, outcome.Existing = job.RunID, job.StartedAt, job.Existing
		outcome.State, outcome.Failure = StateRunning, nil
	case errors.As(err, &unsettled):
		outcome.State, outcome.TaskID, outcome.Existing = unsettled.State, unsettled.TaskID, true
		outcome.Failure = &Failure{unsettled.Failure.Type, unsettled.Error()}
	case general(err):
		outcome.State, outcome.Failure = StateUnknown, &Failure{FailureNotStarted, err.Error()}
		return err
	default:
		outcome.State, outcome.Failure = StateNotStarted, &Failure{FailureNotStarted, err.Error()}
	}
	return nil
}

// lookAt sees how far one job is. The error is one that concerns all of them.
func (m *many) lookAt(ctx context.Context, place int) error {
	outcome := &m.outcomes[place]
	described, err := m.describe(ctx, outcome.WorkflowID, outcome.RunID)
	switch {
	case general(err):
		return err
	case err != nil:
		outcome.State, outcome.Failure = StateUnknown, &Failure{FailureOutOfSight, err.Error()}
		return nil
	}
	seen := newReport(described)
	if seen.TaskID == "" {
		seen.TaskID = outcome.TaskID
	}
	if seen.State.Open() {
		seen.Status, seen.Pending = outcome.Status, m.inTheWay(described)
		outcome.Report = seen
		m.stages[place] = stageSeen(described)
		switch m.stages[place] {
		case "", workflows.StageHeld, workflows.StageSubmitUnknown:
			m.ask(ctx, place, placeOf(described))
		}
		return nil
	}
	switch err := m.addEnd(ctx, &seen); {
	case general(err):
		return err
	case err != nil:
		seen.Note = err.Error()
	}
	if seen.TaskID == "" {
		// A job that was ended by force names no task.
		if bill, err := m.readBill(ctx, seen); err == nil {
			seen.learn(bill.taskID)
		}
	}
	outcome.Report = seen
	return nil
}

// ask asks an open job how far it is. After a worker's silence none is asked for
// a while: each question would wait as long.
func (m *many) ask(ctx context.Context, index int, at place) {
	m.mu.Lock()
	quiet := time.Now().Before(m.quiet)
	m.mu.Unlock()
	if quiet {
		return
	}
	outcome := &m.outcomes[index]
	status, err := m.query(ctx, outcome.WorkflowID, outcome.RunID)
	if err == nil {
		outcome.Status, m.stages[index] = &status, status.Stage
		outcome.learn(status.TaskID)
	}
	if ctx.Err() != nil {
		return
	}
	var failed *serviceerror.QueryFailed
	said, until := "", time.Time{}
	switch {
	case err == nil:
	case errors.As(err, &failed):
		said = "job " + plain(outcome.WorkflowID) + ": " + silence(err)
	default:
		until = time.Now().Add(quietTime)
		if there, known := m.workerThere(ctx, at); known && !there {
			said = at.noWorker()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.silence, m.quiet = said, until
}

// general reports whether an error concerns all jobs, not one of them.
func general(err error) bool {
	return err != nil && (interrupted(err) || unanswered(err) || forbidden(err) || serviceerror.ToStatus(err).Code() == codes.ResourceExhausted)
}
