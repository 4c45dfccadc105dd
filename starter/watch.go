package starter

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"lumaflow/activities"
	"lumaflow/internal/oneline"
	"lumaflow/internal/paid/runs"
	"lumaflow/internal/temporal/codec"
	"lumaflow/workflows"
)

const (
	// maxInterval bounds the interval of the queries while no worker answers.
	maxInterval = 30 * time.Second
	// outage is the time without an answer from Temporal after which a wait gives
	// up. The job continues.
	outage = 5 * time.Minute
	// intervalPerJob lengthens the interval with the number of jobs, so that a wait
	// for a thousand makes no more requests than one for forty.
	intervalPerJob = 50 * time.Millisecond
)

// Progress is the state of a watched job at one time.
type Progress struct {
	WorkflowID string
	State      State
	// Stage and Detail are empty until a worker has answered. Detail is one plain
	// sentence.
	Stage  workflows.Stage
	TaskID string
	Detail string
	// Elapsed is the time since the start of the job.
	Elapsed time.Duration
	// Bytes and Total are the progress of the downloads. Total is -1 until all
	// sizes are known.
	Bytes, Total int64
	// Silence describes why the last query failed; empty if it succeeded.
	Silence string
}

// Watch calls show with the progress of a job, at intervals and at its end, until
// it has ended or ctx is done. It returns the last report, and the cause of ctx's
// end if that came first. Show is called from one goroutine at a time and must
// return quickly.
func (s *Starter) Watch(ctx context.Context, id string, show func(Progress)) (Report, error) {
	described, err := s.describe(ctx, id, "")
	if err != nil {
		return Report{WorkflowID: id}, err
	}
	watched := &watchedJob{starter: s, job: newReport(described.GetWorkflowExecutionInfo())}
	if watched.job.State.Open() {
		if err := watched.untilEnd(ctx, show); err != nil {
			return watched.job, err
		}
	}
	final, err := s.report(ctx, id, watched.job.RunID)
	if final.RunID == "" {
		return watched.job, err
	}
	final.TaskID = cmp.Or(final.TaskID, watched.job.TaskID)
	watched.job = final
	if err == nil {
		show(watched.progress(final.ClosedAt))
	}
	return final, err
}

// Wait watches several jobs until all have ended or ctx is done. Show must be safe
// for concurrent use. The reports are in the order of the ids. The error is the
// cause of ctx's end, or that of the jobs that could not be watched to their end;
// an id without a job is an error before the wait.
func (s *Starter) Wait(ctx context.Context, ids []string, show func(Progress)) ([]Report, error) {
	for _, id := range ids {
		if _, err := s.describe(ctx, id, ""); err != nil {
			return nil, err
		}
	}
	paced := *s
	paced.interval = max(s.interval, time.Duration(len(ids))*intervalPerJob)
	reports := make([]Report, len(ids))
	errs := make([]error, len(ids))
	var watching sync.WaitGroup
	for i, id := range ids {
		watching.Go(func() { reports[i], errs[i] = paced.Watch(ctx, id, show) })
	}
	watching.Wait()
	if ctx.Err() != nil && slices.ContainsFunc(reports, func(r Report) bool { return r.State.Open() }) {
		return reports, context.Cause(ctx)
	}
	if err := errors.Join(errs...); err != nil {
		return reports, &requestError{oneline.Clean(err.Error()), err}
	}
	return reports, nil
}

// watchedJob is the last report on a watched job.
type watchedJob struct {
	starter *Starter
	job     Report
}

// untilEnd polls the job until the run has closed.
func (w *watchedJob) untilEnd(ctx context.Context, show func(Progress)) error {
	polling, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	run := w.job
	go func() {
		ended <- w.starter.awaitEnd(ctx, run)
		stop()
	}()
	interval := w.starter.interval
	for polling.Err() == nil {
		progress := w.poll(polling)
		if polling.Err() != nil {
			break
		}
		if progress.Stage != workflows.StageDone && progress.Stage != workflows.StageFailed {
			// The end is shown after the run has closed.
			show(progress)
		}
		if progress.Silence != "" {
			interval = min(2*interval, max(maxInterval, w.starter.interval))
		} else {
			interval = w.starter.interval
		}
		select {
		case <-polling.Done():
		case <-time.After(interval):
		}
	}
	return <-ended
}

// awaitEnd blocks until the run has closed. It reconnects to a server that
// restarts.
func (s *Starter) awaitEnd(ctx context.Context, run Report) error {
	for {
		_, err := s.runs.End(ctx, run.WorkflowID, run.RunID, true)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case runs.NotFound(err):
			return noJob(run.WorkflowID)
		case rejected(err):
			return failed("wait for job "+oneline.Clean(run.WorkflowID), err)
		}
		if err := s.awaitTemporal(ctx, run); err != nil {
			return err
		}
	}
}

// awaitTemporal blocks until Temporal answers again, for the time outage at most.
func (s *Starter) awaitTemporal(ctx context.Context, run Report) error {
	began := time.Now()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(s.interval):
		}
		_, err := s.describe(ctx, run.WorkflowID, run.RunID)
		switch {
		case err == nil, errors.Is(err, ErrNoJob):
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case time.Since(began) >= outage:
			id := oneline.Clean(run.WorkflowID)
			return &requestError{"Temporal has not answered for " + outage.String() + "; job " + id + " continues by itself, wait for it again with: lumaflow wait " + id, err}
		}
	}
}

// progress is the progress without the answer to a query.
func (w *watchedJob) progress(at time.Time) Progress {
	return Progress{
		WorkflowID: w.job.WorkflowID,
		State:      w.job.State,
		TaskID:     w.job.TaskID,
		Elapsed:    max(at.Sub(w.job.StartedAt), 0),
		Total:      -1,
	}
}

// poll queries the job.
func (w *watchedJob) poll(ctx context.Context) Progress {
	status, err := w.starter.query(ctx, w.job.WorkflowID, w.job.RunID)
	if err == nil {
		w.job.Status = &status
		w.job.TaskID = cmp.Or(status.TaskID, w.job.TaskID)
	}
	progress := w.progress(time.Now())
	progress.Silence = w.silence(ctx, err)
	if last := w.job.Status; last != nil {
		progress.Stage, progress.TaskID, progress.Detail = last.Stage, last.TaskID, oneline.Clean(last.Detail)
	}
	if err == nil && progress.Stage == workflows.StageCollecting {
		// A nil description, after an error, has no downloads.
		described, _ := w.starter.describe(ctx, w.job.WorkflowID, w.job.RunID)
		progress.Bytes, progress.Total = w.starter.downloaded(described, status.Videos)
		for _, failing := range w.starter.failing(described) {
			if !failing.NextAttempt.IsZero() || failing.Next != "" {
				// It is shown in place of the bar until the retry.
				progress.Detail, progress.Total = failing.text(), -1
			}
		}
	}
	return progress
}

// silence describes a failed query. A workflow task that fails in the workers is the
// reason of a query without an answer.
func (w *watchedJob) silence(ctx context.Context, err error) string {
	if err != nil && ctx.Err() == nil {
		if described, failed := w.starter.describe(ctx, w.job.WorkflowID, w.job.RunID); failed == nil {
			if note := w.starter.workflowTaskNote(ctx, described, err); note != "" {
				return note
			}
		}
	}
	return querySilence(err)
}

// querySilence describes a failed query in a few words.
func querySilence(err error) string {
	unreadable := codec.Unreadable(err)
	switch {
	case err == nil:
		return ""
	case unreadable != nil:
		return "its answer is " + unreadable.Error()
	case is[*serviceerror.Unavailable](err):
		return "Temporal does not answer"
	case is[*serviceerror.QueryFailed](err):
		return "the query failed in the worker"
	default:
		return "no worker answers"
	}
}

// downloaded adds up the stored videos and the downloads in progress, which report
// their bytes in heartbeats.
func (s *Starter) downloaded(described *workflowservice.DescribeWorkflowExecutionResponse, stored []workflows.Video) (bytes, total int64) {
	for _, video := range stored {
		bytes += video.Bytes
	}
	total = bytes
	known := described != nil
	data := s.of(described.GetWorkflowExecutionInfo().GetExecution().GetWorkflowId()).Data
	for _, activity := range described.GetPendingActivities() {
		if activity.GetActivityType().GetName() != downloadActivity {
			continue
		}
		var progress activities.DownloadProgress
		if activity.GetHeartbeatDetails() == nil || data.FromPayloads(activity.GetHeartbeatDetails(), &progress) != nil {
			known = false
			continue
		}
		bytes += progress.Bytes
		total += progress.Total
		known = known && progress.Total >= 0
	}
	if !known || total == 0 {
		total = -1
	}
	return bytes, total
}
