package kietest

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// forge sends the callbacks of an attacker who has a callback URL or a task id, but
// not the webhook key, in the format of the task's family.
func (s *Server) forge(t *task) {
	if t.request.CallBackURL == "" || !s.inject(&t.faults, CallbackForged, 1) {
		return
	}
	forgedURLs := []string{t.base + "/forged/" + t.id + ".mp4", privateURL}
	ended := s.options.Now()
	success := s.forgery(t, t.id, ended, forgedURLs)
	failed := s.forgery(t, t.id, ended, nil)
	unknownTask := newID()
	right := t.request.CallBackURL
	s.sendForgery(t, otherToken(right), t.id, success)
	s.sendForgery(t, otherToken(right), t.id, failed)
	s.sendForgery(t, right, unknownTask, s.forgery(t, unknownTask, ended, forgedURLs))
	// With the right path and the right task only the signature and the record
	// reveal the forgery.
	if t.job.variant%2 == 0 {
		s.sendForgery(t, right, t.id, success)
	} else {
		s.sendForgery(t, right, t.id, failed)
	}
}

// forgery is the body of a callback for a task that has not ended: a success with these
// URLs, or a failure without.
func (s *Server) forgery(t *task, taskID string, ended time.Time, urls []string) []byte {
	copied := newTask(taskID, t.job, t.request, t.marks, t.base, t.created)
	copied.ended = ended
	if len(urls) == 0 {
		copied.failure = &failures[0].failure
	}
	return t.family().callback(s, copied, urls)
}

func (s *Server) sendForgery(t *task, address, taskID string, body []byte) {
	var proof signature
	if s.hmacKey() != "" {
		proof = signed("the forger's own key", taskID, s.options.Now())
	}
	s.countCallback(t, func(sum *Callbacks) { sum.Forged++ })
	status, err := s.post(address, body, proof)
	if err == nil && status == http.StatusOK {
		s.countCallback(t, func(sum *Callbacks) { sum.ForgedAcknowledged++ })
	}
}

// otherToken replaces the last segment of a callback URL's path.
func otherToken(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return address
	}
	path := parsed.EscapedPath()
	parsed.Path, parsed.RawPath = "", ""
	if cut := strings.LastIndexByte(path, '/'); cut >= 0 {
		path = path[:cut]
	}
	token := (rand.Text() + rand.Text())[:43]
	return parsed.JoinPath(path, token).String()
}

// sendForeignCallback sends, to this task's callback URL, a genuine callback of a
// task that exists and belongs to another job.
func (s *Server) sendForeignCallback(t *task) {
	other := lumaRequest{
		Prompt:      "somebody else's video",
		VideoURL:    "https://cdn.example.org/somebody-else.mp4",
		CallBackURL: "https://hooks.example.org/somebody-else",
		Model:       t.request.Model,
	}
	owner := &job{faults: newFaultSet(nil), variant: t.job.variant + 1}
	decoy := newTask(newID(), owner, other, markers{results: 1}, t.base, s.options.Now())
	if err := s.endTask(s.ctx, decoy); err != nil {
		return
	}
	s.mu.Lock()
	s.tasks[decoy.id] = decoy
	s.mu.Unlock()
	s.countCallback(t, func(sum *Callbacks) { sum.WrongTask++ })
	_, _ = s.post(t.request.CallBackURL, s.callback(decoy), s.sign(decoy.id))
}
