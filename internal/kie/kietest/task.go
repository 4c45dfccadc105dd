package kietest

import (
	"context"
	"encoding/json"
	"sync"
	"time"
)

// The flags of a record.
const (
	flagGenerating     = 0
	flagSucceeded      = 1
	flagCreateFailed   = 2
	flagGenerateFailed = 3
	flagCallbackFailed = 4
	flagUnheardOf      = 7
)

// task is one charged submission.
type task struct {
	exposure
	id      string
	job     *job
	request request
	marks   markers
	base    string
	created time.Time

	// released is closed when a generation that is held may end.
	released chan struct{}
	// announced is closed when the callback has been tried once, or never
	// will be.
	announced    chan struct{}
	announceOnce sync.Once

	// Guarded by Server.mu. results does not change once the task has ended.
	response       string
	ended          time.Time
	failure        *failure
	results        []*result
	callbackFailed bool
	settled        bool // no callback is owed any more
	polls          int
	downloads      int
	callbacks      Callbacks
}

// failure is why a generation gave no video.
type failure struct {
	flag    int
	code    int
	message string
}

var failures = []struct {
	fault   string
	failure failure
}{
	{CreateFailed, failure{flagCreateFailed, codeServerError, "upstream could not create the task"}},
	{Moderation, failure{flagGenerateFailed, codeBadRequest, "The content was rejected by the moderation policy"}},
	{GenerationFailed, failure{flagGenerateFailed, codeFailed, "生成失败，请稍后重试"}},
}

func newTask(id string, owner *job, req request, marks markers, base string, created time.Time) *task {
	return &task{
		exposure:  exposedTo(owner.chosen),
		id:        id,
		job:       owner,
		request:   req,
		marks:     marks,
		base:      base,
		created:   created,
		announced: make(chan struct{}),
	}
}

// echo is the request as callbacks and records quote it: as JSON in a string,
// with the watermark under another name.
func (t *task) echo() string {
	text, _ := json.Marshal(struct { // strings always encode
		CallBackURL string `json:"callBackUrl,omitempty"`
		Prompt      string `json:"prompt"`
		VideoURL    string `json:"videoUrl"`
		WaterMark   string `json:"waterMark"`
	}{t.request.CallBackURL, t.request.Prompt, t.request.VideoURL, t.request.Watermark})
	return string(text)
}

// live is a task's life in the background, from the charge to its callback.
func (s *Server) live(t *task) {
	defer t.markAnnounced()
	s.mu.Lock()
	resumed := t.settled // by an earlier process
	s.mu.Unlock()
	if !resumed {
		s.forge(t)
	}
	if s.pause(s.ctx, s.renderTime(t)) != nil || s.hold(t) != nil {
		return
	}
	if err := s.end(s.ctx, t); err != nil {
		if s.ctx.Err() == nil {
			s.log.Error("could not render", "taskId", t.id, "error", err)
		}
		return
	}
	if !resumed {
		s.announce(t)
	}
}

func (t *task) markAnnounced() { t.announceOnce.Do(func() { close(t.announced) }) }

// renderTime is what is left of a generation. A task that is resumed from the
// journal may be long due, and one with an early callback can't keep its
// client waiting.
func (s *Server) renderTime(t *task) time.Duration {
	if t.faces(CallbackEarly) {
		return 0
	}
	return s.options.Render - s.options.Now().Sub(t.created)
}

// end settles what the task's record says.
func (s *Server) end(ctx context.Context, t *task) error {
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
	for _, result := range results {
		s.publish(result)
	}
	return nil
}

// sourceGone is the failure of a task whose upload can't be fetched. What kie.ai
// does then is not documented; this is the worst that it could do, a charge for
// nothing.
var sourceGone = failure{flagCreateFailed, codeBadRequest, "the input video could not be downloaded"}

func (s *Server) failureOf(t *task) *failure {
	if _, _, gone := s.uploaded(t); gone {
		return &sourceGone
	}
	for _, entry := range failures {
		if s.strike(&t.exposure, entry.fault, 1) {
			return &entry.failure
		}
	}
	return nil
}

// render makes the results and learns their hashes.
func (s *Server) render(ctx context.Context, t *task) ([]*result, error) {
	base, err := s.material(ctx, t)
	if err != nil {
		return nil, err
	}
	var results []*result
	for index := 1; index <= t.marks.results; index++ {
		made := &result{exposure: exposedTo(t.chosen), task: t, index: index}
		takes := 1
		if t.faces(EtagChanged) {
			takes = 2
		}
		for take := 1; take <= takes; take++ {
			video, err := s.finish(ctx, base, t, index, take)
			if err != nil {
				return nil, err
			}
			made.takes = append(made.takes, video)
		}
		results = append(results, made)
	}
	return results, nil
}
