package kietest

import (
	"context"
	"sync"
	"time"
)

// task is one charged submission.
type task struct {
	id      string
	job     *job
	request lumaRequest
	marks   markers
	base    string
	created time.Time
	faults  faultSet

	// released is closed when a held render may end.
	released chan struct{}
	// attempted is closed after the first attempt to deliver the callback, or
	// when there will be none.
	attempted     chan struct{}
	attemptedOnce sync.Once

	// Guarded by Server.mu. results does not change once the task has ended.
	response       string
	ended          time.Time
	failure        *failure
	results        []*result
	callbackFailed bool
	callbacksEnded bool
	polls          int
	firstPoll      time.Time
	downloads      int
	callbacks      Callbacks
}

func newTask(id string, owner *job, req lumaRequest, marks markers, base string, created time.Time) *task {
	return &task{
		id:        id,
		job:       owner,
		request:   req,
		marks:     marks,
		base:      base,
		created:   created,
		faults:    newFaultSet(owner.faults.chosen),
		attempted: make(chan struct{}),
	}
}

// State is the state of a charged task.
type State string

// The states of a charged task.
const (
	Generating State = "generating"
	Succeeded  State = "succeeded"
	Failed     State = "failed"
)

// state does not depend on the faults of a record. Callers hold Server.mu.
func (t *task) state() State {
	switch {
	case t.ended.IsZero():
		return Generating
	case t.failure != nil:
		return Failed
	default:
		return Succeeded
	}
}

// runTask runs a task in the background, from the charge to the last callback.
func (s *Server) runTask(t *task) {
	defer t.markAttempted()
	s.mu.Lock()
	callbacksEnded := t.callbacksEnded // in an earlier process
	s.mu.Unlock()
	if !callbacksEnded {
		s.forge(t)
	}
	if s.pause(s.ctx, s.renderTime(t)) != nil || s.hold(t) != nil {
		return
	}
	if err := s.endTask(s.ctx, t); err != nil {
		if s.ctx.Err() == nil {
			s.log.Error("could not render", "taskId", t.id, "error", err)
		}
		return
	}
	if !callbacksEnded {
		s.sendCallback(t)
	}
}

func (t *task) markAttempted() { t.attemptedOnce.Do(func() { close(t.attempted) }) }

// renderTime is the remaining time of a generation. A task from the journal may be
// overdue. A task with an early callback ends at once: its submission is answered
// after the callback.
func (s *Server) renderTime(t *task) time.Duration {
	if t.faults.has(CallbackEarly) {
		return 0
	}
	return s.options.Render - s.options.Now().Sub(t.created)
}

// endTask ends the generation, with results or a failure.
func (s *Server) endTask(ctx context.Context, t *task) error {
	failed := s.failureOf(t)
	var results []*result
	if failed == nil {
		var err error
		if results, err = s.render(ctx, t); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t.ended, t.failure, t.results = s.options.Now(), failed, results
	if failed != nil && t.family().refunds {
		s.credits += Price
	}
	for _, result := range results {
		s.publish(result)
	}
	return nil
}

// render makes the results and computes their hashes.
func (s *Server) render(ctx context.Context, t *task) ([]*result, error) {
	base, err := s.baseVideo(ctx, t)
	if err != nil {
		return nil, err
	}
	var results []*result
	for index := 1; index <= t.marks.results; index++ {
		made := &result{task: t, index: index, faults: newFaultSet(t.faults.chosen)}
		encodings := 1
		if t.faults.has(EtagChanged) {
			encodings = 2
		}
		for encoding := 1; encoding <= encodings; encoding++ {
			video, err := s.encode(ctx, base, t, index, encoding)
			if err != nil {
				return nil, err
			}
			made.encodings = append(made.encodings, video)
		}
		results = append(results, made)
	}
	return results, nil
}
