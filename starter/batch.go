package starter

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"lumaflow/workflows"
)

// hands is how many jobs of many are started, or looked at, at once.
const hands = 8

// Order is one job of many.
type Order struct {
	Input workflows.ModifyVideoInput
	// Key tells takes of the same request apart.
	Key string
	// Line is where it was asked for, from 1; 0 is nowhere in particular.
	Line int
}

// Outcome is what became of an Order.
type Outcome struct {
	Line int `json:"line,omitempty"`
	// Report is the job. Its Failure also says why a job was not started.
	Report
	// Existing says that the job was there before and was not started again.
	Existing bool `json:"existing"`
}

// BatchOptions say how many jobs are run.
type BatchOptions struct {
	// AtOnce is how many jobs may be open at the same time; at least 1.
	AtOnce int
	// RetryFailed starts jobs again whose generation failed. Each is another paid
	// task.
	RetryFailed bool
	// Show is shown how far they all are, from one goroutine; nil is allowed.
	Show func(Tally)
}

// RunBatch starts jobs, or finds them, and looks after them until all have ended
// or ctx is done. No more than options.AtOnce are open because of it at any
// time: the others start as those end, and when it is stopped, it leaves what it
// has not started. A job that can't be started is an outcome, not an error. The
// outcomes are in the order of the orders, and there in any case; the error is
// the cause of ctx's end, or why there was no going on. What it takes of memory
// grows with the orders, of goroutines and of requests under way it does not.
func (s *Starter) RunBatch(ctx context.Context, orders []Order, options BatchOptions) ([]Outcome, error) {
	if options.Show == nil {
		options.Show = func(Tally) {}
	}
	many := &many{Starter: s, BatchOptions: options, orders: orders, heard: time.Now(),
		outcomes: make([]Outcome, len(orders)), stages: make([]workflows.Stage, len(orders))}
	for i, order := range orders {
		many.queue = append(many.queue, i)
		many.outcomes[i] = Outcome{Line: order.Line, Report: Report{
			WorkflowID: JobID(order.Input, order.Key),
			State:      StateNotStarted,
			TaskID:     order.Input.TaskID,
		}}
	}
	return many.outcomes, many.run(ctx)
}

// many are jobs that are run together. Orders and outcomes are named by their
// place.
type many struct {
	*Starter
	BatchOptions
	orders   []Order
	outcomes []Outcome
	// queue are the orders to start, open the jobs that have not ended, stages
	// where those are, as far as it is known.
	queue, open []int
	stages      []workflows.Stage

	mu sync.Mutex
	// away is why Temporal gave no answer in this round, stop why there is no
	// going on. Heard is when it last gave one, pauses how often it has not since.
	away, stop error
	heard      time.Time
	pauses     int
	// silence is why no job can be asked, as far as it is to be mended; none is
	// asked until quiet.
	silence string
	quiet   time.Time
}

func (m *many) run(ctx context.Context) error {
	for {
		m.away = nil
		m.start(ctx)
		m.Show(m.tally())
		moved := m.look(ctx)
		m.Show(m.tally())
		switch {
		case len(m.queue)+len(m.open) == 0:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case m.stop != nil:
			return m.stop
		case m.away != nil && time.Since(m.heard) >= outage:
			return &trouble{"Temporal has not answered for " + outage.String() + "; the jobs that are started go on by themselves, run the same command again to see to all of them", m.away}
		case moved && len(m.queue) > 0 && m.away == nil:
			// There is room to start more at once.
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(m.pause()):
		}
	}
}

// pause is how long to wait between two rounds: the longer, the more jobs there
// are to ask Temporal about, and the longer it has not answered.
func (m *many) pause() time.Duration {
	if m.away == nil {
		return max(m.interval, time.Duration(len(m.open))*perJob)
	}
	m.pauses++
	return min(m.interval<<min(m.pauses, 10), max(maxInterval, m.interval))
}

// each does something for some of the jobs, a few at a time, until Temporal is
// away.
func (m *many) each(ctx context.Context, places []int, do func(context.Context, int) error) {
	var working errgroup.Group
	working.SetLimit(hands)
	for _, place := range places {
		working.Go(func() error {
			if !m.goesOn(ctx) {
				return nil
			}
			m.hear(ctx, do(ctx, place))
			return nil
		})
	}
	// What goes wrong is heard.
	_ = working.Wait()
}

func (m *many) goesOn(ctx context.Context) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return ctx.Err() == nil && m.away == nil && m.stop == nil
}

// hear takes in whether Temporal answers.
func (m *many) hear(ctx context.Context, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case err == nil:
		m.heard, m.pauses = time.Now(), 0
	case ctx.Err() != nil:
	case forbidden(err):
		m.stop = err
	default:
		m.away = err
	}
}

// start starts as many jobs as there is room for.
func (m *many) start(ctx context.Context) {
	room := min(max(m.AtOnce-len(m.open), 0), len(m.queue))
	next := m.queue[:room]
	m.queue = m.queue[room:]
	m.each(ctx, next, m.startOne)
	var again []int
	for _, place := range next {
		switch outcome := m.outcomes[place]; {
		case outcome.RunID != "":
			m.open = append(m.open, place)
		case outcome.Failure == nil || outcome.State == StateUnknown:
			again = append(again, place)
		}
	}
	m.queue = append(again, m.queue...)
}

// look looks at the open jobs and reports whether any have ended.
func (m *many) look(ctx context.Context) (ended bool) {
	m.each(ctx, m.open, m.lookAt)
	var left []int
	for _, place := range m.open {
		if m.outcomes[place].State.Open() {
			left = append(left, place)
		}
	}
	ended = len(left) < len(m.open)
	m.open = left
	return ended
}
