package starter

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"lumaflow/workflows"
)

// Order is one job of a batch.
type Order struct {
	Input workflows.ModifyVideoInput
	// Key distinguishes jobs of the same request.
	Key string
	// Line is the line of the batch file, from 1; 0 if there is no file.
	Line int
}

// Outcome is the result of an Order.
type Outcome struct {
	Line int `json:"line,omitempty"`
	// Report is the job, whose fields the JSON holds directly. Its Failure is also
	// set if the job could not be started.
	Report
	// Existing means that the job existed before and was not started again.
	Existing bool `json:"existing"`
}

// BatchOptions are the settings of RunBatch.
type BatchOptions struct {
	// AtOnce is the greatest number of open jobs, at least 1.
	AtOnce int
	// RetryFailed starts jobs again whose generation failed. Each is another paid
	// task.
	RetryFailed bool
	// Show is called with the counts, from one goroutine.
	Show func(Tally)
}

// RunBatch starts or finds jobs and watches them until all have ended or ctx is
// done. It keeps at most options.AtOnce of its jobs open; further jobs start as
// these end. When ctx is done it starts no more. A job that can't be started is an
// outcome, not an error. The outcomes are in the order of the orders and always
// complete; the error is the cause of ctx's end, or the failure that ended the
// batch. The memory grows with the orders; the goroutines and the concurrent
// requests do not.
func (s *Starter) RunBatch(ctx context.Context, orders []Order, options BatchOptions) ([]Outcome, error) {
	batch := &batchRun{starter: s, options: options, orders: orders, answeredAt: time.Now(),
		outcomes: make([]Outcome, len(orders)), stages: make([]workflows.Stage, len(orders))}
	for i, order := range orders {
		batch.queue = append(batch.queue, i)
		batch.outcomes[i] = Outcome{Line: order.Line, Report: Report{
			WorkflowID: JobID(order.Input, order.Key),
			State:      StateNotStarted,
			TaskID:     order.Input.TaskID,
		}}
	}
	return batch.outcomes, batch.run(ctx)
}

// batchRun is the state of RunBatch. Jobs are identified by the index of their
// order.
type batchRun struct {
	starter  *Starter
	options  BatchOptions
	orders   []Order
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

func (b *batchRun) run(ctx context.Context) error {
	for {
		b.unanswered = nil
		ended := b.startNext(ctx)
		b.options.Show(b.tally())
		ended = b.pollOpen(ctx) || ended
		b.options.Show(b.tally())
		switch {
		case len(b.queue)+len(b.open) == 0:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case b.fatal != nil:
			return b.fatal
		case b.unanswered != nil && time.Since(b.answeredAt) >= outage:
			return &requestError{"Temporal has not answered for " + outage.String() + "; the started jobs continue by themselves, run the same command again to resume the batch", b.unanswered}
		case ended && len(b.queue) > 0 && b.unanswered == nil:
			// Ended jobs make room for others without a pause.
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(b.pause()):
		}
	}
}

// pause is the time between two rounds. It grows with the number of open jobs,
// and exponentially while Temporal does not answer.
func (b *batchRun) pause() time.Duration {
	interval := b.starter.interval
	if b.unanswered == nil {
		return max(interval, time.Duration(len(b.open))*intervalPerJob)
	}
	b.retries++
	return min(interval<<min(b.retries, 10), max(maxInterval, interval))
}

// forEach calls do for jobs, concurrently, until an error concerns all of them.
func (b *batchRun) forEach(ctx context.Context, jobs []int, do func(context.Context, int) error) {
	var calls errgroup.Group
	calls.SetLimit(maxConcurrent)
	for _, job := range jobs {
		calls.Go(func() error {
			if b.proceeds(ctx) {
				b.record(ctx, do(ctx, job))
			}
			return nil
		})
	}
	// The errors are recorded.
	_ = calls.Wait()
}

func (b *batchRun) proceeds(ctx context.Context) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return ctx.Err() == nil && b.unanswered == nil && b.fatal == nil
}

// record sorts an error that concerns all jobs.
func (b *batchRun) record(ctx context.Context, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err == nil:
		b.answeredAt, b.retries = time.Now(), 0
	case ctx.Err() != nil:
	case forbidden(err):
		b.fatal = err
	default:
		b.unanswered = err
	}
}

// startNext starts as many jobs as may be open, and reports whether any had ended
// before. Jobs whose start has no known outcome return to the queue.
func (b *batchRun) startNext(ctx context.Context) (ended bool) {
	room := min(max(b.options.AtOnce-len(b.open), 0), len(b.queue))
	next := b.queue[:room]
	b.queue = b.queue[room:]
	b.forEach(ctx, next, b.startOne)
	var repeat []int
	for _, job := range next {
		switch outcome := b.outcomes[job]; {
		case outcome.RunID != "" && outcome.State.Open():
			b.open = append(b.open, job)
		case outcome.RunID != "":
			ended = true
		case outcome.Failure == nil || outcome.State == StateUnknown:
			repeat = append(repeat, job)
		}
	}
	b.queue = append(repeat, b.queue...)
	return ended
}

// pollOpen polls the open jobs and reports whether any have ended.
func (b *batchRun) pollOpen(ctx context.Context) (ended bool) {
	b.forEach(ctx, b.open, b.pollOne)
	before := len(b.open)
	b.open = slices.DeleteFunc(b.open, func(job int) bool { return !b.outcomes[job].State.Open() })
	return len(b.open) < before
}
