package starter

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"lumaflow/internal/paid/runs"
	"lumaflow/workflows"
)

// Outcome is a job that a command has started or found.
type Outcome struct {
	// Report is the job, whose fields the JSON holds directly. Its Failure is also
	// set if the job could not be started.
	Report
	// Existing means that the job existed before and was not started again.
	Existing bool `json:"existing"`
}

// RescueOptions are the settings of Rescue.
type RescueOptions struct {
	// AtOnce is the greatest number of open jobs, at least 1.
	AtOnce int
	// Model is the model of the tasks; empty looks them up in all families.
	Model string
	// Show is called with the counts, from one goroutine.
	Show func(Tally)
}

// Rescue starts or finds the jobs that collect tasks, and watches them until all have
// ended or ctx is done. Nothing is submitted and nothing is paid. It keeps at most
// options.AtOnce of the jobs open; further jobs start as these end. When ctx is done
// it starts no more. A job that can't be started is an outcome, not an error. The
// outcomes are in the order of the tasks and always complete; the error is the cause
// of ctx's end, or the failure that ended the rescue. The memory grows with the tasks;
// the goroutines and the concurrent requests do not.
func (s *Starter) Rescue(ctx context.Context, taskIDs []string, options RescueOptions) ([]Outcome, error) {
	rescue := &rescueRun{starter: s, options: options, answeredAt: time.Now(),
		outcomes: make([]Outcome, len(taskIDs)), stages: make([]workflows.Stage, len(taskIDs))}
	for i, taskID := range taskIDs {
		rescue.queue = append(rescue.queue, i)
		rescue.outcomes[i] = Outcome{Report: Report{
			WorkflowID: runs.CollectorID(taskID),
			State:      StateNotStarted,
			TaskID:     taskID,
		}}
	}
	return rescue.outcomes, rescue.run(ctx)
}

// rescueRun is the state of Rescue. Jobs are identified by the index of their task.
type rescueRun struct {
	starter  *Starter
	options  RescueOptions
	outcomes []Outcome
	// queue are the jobs to start, open those that have not ended, stages the last
	// known stages.
	queue, open []int
	stages      []workflows.Stage

	mu sync.Mutex
	// unanswered is an error of this round after which later requests would fail as
	// well; the next round repeats them. fatal is one that no retry removes.
	unanswered, fatal error
	// answeredAt is the time of the last answer, retries the number of rounds since.
	answeredAt time.Time
	retries    int
	// workerNote describes why queries fail; there are none until queriesAfter.
	workerNote   string
	queriesAfter time.Time
}

func (r *rescueRun) run(ctx context.Context) error {
	for {
		r.unanswered = nil
		ended := r.startNext(ctx)
		r.options.Show(r.tally())
		ended = r.pollOpen(ctx) || ended
		r.options.Show(r.tally())
		switch {
		case len(r.queue)+len(r.open) == 0:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case r.fatal != nil:
			return r.fatal
		case r.unanswered != nil && time.Since(r.answeredAt) >= outage:
			return &requestError{"Temporal has not answered for " + outage.String() + "; the started jobs continue by themselves, run the same command again to resume", r.unanswered}
		case ended && len(r.queue) > 0 && r.unanswered == nil:
			// Ended jobs make room for others without a pause.
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(r.pause()):
		}
	}
}

// pause is the time between two rounds. It grows with the number of open jobs,
// and exponentially while Temporal does not answer.
func (r *rescueRun) pause() time.Duration {
	interval := r.starter.interval
	if r.unanswered == nil {
		return max(interval, time.Duration(len(r.open))*intervalPerJob)
	}
	r.retries++
	return min(interval<<min(r.retries, 10), max(maxInterval, interval))
}

// forEach calls do for jobs, concurrently, until an error concerns all of them.
func (r *rescueRun) forEach(ctx context.Context, jobs []int, do func(context.Context, int) error) {
	var calls errgroup.Group
	calls.SetLimit(maxConcurrent)
	for _, job := range jobs {
		calls.Go(func() error {
			if r.proceeds(ctx) {
				r.record(ctx, do(ctx, job))
			}
			return nil
		})
	}
	// The errors are recorded.
	_ = calls.Wait()
}

func (r *rescueRun) proceeds(ctx context.Context) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return ctx.Err() == nil && r.unanswered == nil && r.fatal == nil
}

// record sorts an error that concerns all jobs.
func (r *rescueRun) record(ctx context.Context, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil:
		r.answeredAt, r.retries = time.Now(), 0
	case ctx.Err() != nil:
	case forbidden(err):
		r.fatal = err
	default:
		r.unanswered = err
	}
}

// startNext starts as many jobs as may be open, and reports whether any had ended
// before. Jobs whose start has no known outcome return to the queue.
func (r *rescueRun) startNext(ctx context.Context) (ended bool) {
	room := min(max(r.options.AtOnce-len(r.open), 0), len(r.queue))
	next := r.queue[:room]
	r.queue = r.queue[room:]
	r.forEach(ctx, next, r.startOne)
	var repeat []int
	for _, job := range next {
		switch outcome := r.outcomes[job]; {
		case outcome.RunID != "" && outcome.State.Open():
			r.open = append(r.open, job)
		case outcome.RunID != "":
			ended = true
		case outcome.Failure == nil || outcome.State == StateUnknown:
			repeat = append(repeat, job)
		}
	}
	r.queue = append(repeat, r.queue...)
	return ended
}

// pollOpen polls the open jobs and reports whether any have ended.
func (r *rescueRun) pollOpen(ctx context.Context) (ended bool) {
	r.forEach(ctx, r.open, r.pollOne)
	before := len(r.open)
	r.open = slices.DeleteFunc(r.open, func(job int) bool { return !r.outcomes[job].State.Open() })
	return len(r.open) < before
}
