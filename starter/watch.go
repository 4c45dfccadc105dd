package starter

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"lumaflow/activities"
	"lumaflow/internal/temporal/codec"
	"lumaflow/workflows"
)

const (
	// maxInterval is how rarely a job is asked whose worker does not answer.
	maxInterval = 30 * time.Second
	// outage is how long Temporal itself may be out of reach before a wait
	// gives up. The job does not.
	outage = 5 * time.Minute
	// perJob spaces the looks at many jobs out, so that a wait for a thousand
	// asks Temporal no more often than one for forty.
	perJob = 50 * time.Millisecond
)

// Progress is one look at a job.
type Progress struct {
	WorkflowID string
	State      State
	// Stage and what follows from it are empty until a worker has answered.
	Stage  workflows.Stage
	TaskID string
	// Detail is one plain sentence on what is happening.
	Detail string
	// Elapsed is how long the job has taken so far.
	Elapsed time.Duration
	// Bytes and Total are how far the downloads are. Total is -1 until all
	// sizes are known.
	Bytes, Total int64
	// Silence says why the job gave no answer this time; empty if it did.
	Silence string
}

// Watch shows a job to show, at intervals and when it ends, until it has ended
// or ctx is done. It returns the last that is known of the job, with the cause
// of ctx's end as the error if that came first. Show is called from one
// goroutine at a time and must be quick; nil is allowed.
func (s *Starter) Watch(ctx context.Context, id string, show func(Progress)) (Report, error) {
	if show == nil {
		show = func(Progress) {}
	}
	described, err := s.describe(ctx, id, "")
	if err != nil {
		return Report{WorkflowID: id}, err
	}
	watched := &watched{Starter: s, job: newReport(described)}
	if watched.job.State.Open() {
		if err := watched.untilEnd(ctx, show); err != nil {
			return watched.job, err
		}
	}
	err = watched.readEnd(ctx)
	if err == nil {
		show(watched.final())
	}
	return watched.job, err
}

// Wait watches several jobs until all have ended or ctx is done. Show must be
// safe for concurrent use. The reports are in the order of the ids. The error is the cause of ctx's end, or why a
// job could not be watched to its end; an id that is no job is refused at once.
func (s *Starter) Wait(ctx context.Context, ids []string, show func(Progress)) ([]Report, error) {
	for _, id := range ids {
		if _, err := s.describe(ctx, id, ""); err != nil {
			return nil, err
		}
	}
	paced := *s
	paced.interval = max(s.interval, time.Duration(len(ids))*perJob)
	reports := make([]Report, len(ids))
	errs := make([]error, len(ids))
	var watching sync.WaitGroup
	for i, id := range ids {
		watching.Go(func() { reports[i], errs[i] = paced.Watch(ctx, id, show) })
	}
	watching.Wait()
	if ctx.Err() != nil && slices.ContainsFunc(reports, Report.open) {
		return reports, context.Cause(ctx)
	}
	return reports, errors.Join(errs...)
}

// watched is a job that is being watched.
type watched struct {
	*Starter
	job Report
}

// untilEnd returns when the run has closed.
func (w *watched) untilEnd(ctx context.Context, show func(Progress)) error {
	looking, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	run := w.job
	go func() {
		ended <- w.awaitEnd(ctx, run)
		stop()
	}()
	interval := w.interval
	for looking.Err() == nil {
		progress := w.look(looking)
		if looking.Err() != nil {
			break
		}
		if progress.Stage != workflows.StageDone && progress.Stage != workflows.StageFailed {
			// How a job ends is shown when it has ended.
			show(progress)
		}
		if progress.Silence != "" {
			interval = min(2*interval, max(maxInterval, w.interval))
		} else {
			interval = w.interval
		}
		select {
		case <-looking.Done():
		case <-time.After(interval):
		}
	}
	return <-ended
}

// awaitEnd waits for the end of the run, across interruptions of the server.
func (s *Starter) awaitEnd(ctx context.Context, run Report) error {
	for {
		_, err := s.lastEvent(ctx, run, true)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case notFound(err):
			return noJob(run.WorkflowID)
		case refused(err):
			return failed("wait for job "+plain(run.WorkflowID), err)
		}
		if err := s.awaitTemporal(ctx, run); err != nil {
			return err
		}
	}
}

// awaitTemporal waits until Temporal answers again. It gives up after an
// outage.
func (s *Starter) awaitTemporal(ctx context.Context, run Report) error {
	lost := time.Now()
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
		case time.Since(lost) >= outage:
			id := plain(run.WorkflowID)
			return &trouble{"Temporal has not answered for " + outage.String() + "; job " + id + " goes on by itself, wait for it again with: lumaflow wait " + id, err}
		}
	}
}

// readEnd reads how the run ended.
func (w *watched) readEnd(ctx context.Context) error {
	final, err := w.report(ctx, w.job.WorkflowID, w.job.RunID)
	if final.RunID == "" {
		return err
	}
	if final.TaskID == "" {
		final.TaskID = w.job.TaskID
	}
	w.job = final
	return err
}

func (w *watched) final() Progress {
	return Progress{
		WorkflowID: w.job.WorkflowID,
		State:      w.job.State,
		TaskID:     w.job.TaskID,
		Elapsed:    max(w.job.ClosedAt.Sub(w.job.StartedAt), 0),
		Total:      -1,
	}
}

// look asks the job how far it is.
func (w *watched) look(ctx context.Context) Progress {
	progress := Progress{
		WorkflowID: w.job.WorkflowID,
		State:      w.job.State,
		Elapsed:    max(time.Since(w.job.StartedAt), 0),
		Total:      -1,
	}
	status, err := w.query(ctx, w.job.WorkflowID, w.job.RunID)
	if err == nil {
		w.job.Status = &status
		w.job.learn(status.TaskID)
	}
	progress.Silence = silence(err)
	if last := w.job.Status; last != nil {
		progress.Stage, progress.TaskID, progress.Detail = last.Stage, last.TaskID, plain(last.Detail)
	}
	if err == nil && progress.Stage == workflows.StageCollecting {
		// It is nil if Temporal does not answer.
		described, _ := w.describe(ctx, w.job.WorkflowID, w.job.RunID)
		progress.Bytes, progress.Total = w.downloaded(described, status.Videos)
		for _, failing := range w.inTheWay(described) {
			if !failing.NextAttempt.IsZero() {
				// It pauses: why is worth more than a bar that stands still.
				progress.Detail, progress.Total = failing.again(), -1
			}
		}
	}
	return progress
}

func silence(err error) string {
	var unavailable *serviceerror.Unavailable
	var failed *serviceerror.QueryFailed
	var sealed *codec.KeyError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &sealed):
		return "its answer is " + sealed.Error()
	case errors.As(err, &unavailable):
		return "Temporal does not answer"
	case errors.As(err, &failed):
		return "the worker can't answer for it"
	default:
		return "no worker answers"
	}
}

// downloaded adds up the videos that are stored and those under way, which
// report their progress in heartbeats.
func (w *watched) downloaded(described *workflowservice.DescribeWorkflowExecutionResponse, stored []workflows.Video) (bytes, total int64) {
	for _, video := range stored {
		bytes += video.Bytes
	}
	total = bytes
	known := described != nil
	for _, activity := range described.GetPendingActivities() {
		if activity.GetActivityType().GetName() != downloadActivity {
			continue
		}
		var progress activities.DownloadProgress
		if activity.GetHeartbeatDetails() == nil || w.data.FromPayloads(activity.GetHeartbeatDetails(), &progress) != nil {
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
