package kietest

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"
)

// forge sends what a stranger could: somebody who has seen a callback URL or a
// task id, but not both with the key.
func (s *Server) forge(t *task) {
	if t.request.CallBackURL == "" || !s.strike(&t.exposure, CallbackForged, 1) {
		return
	}
	success := s.forgedSuccess(t, t.id)
	failed := encode(map[string]any{"code": codeServerError, "msg": failureMsg,
		"data": map[string]any{"taskId": t.id, "promptJson": t.echo()}})
	stranger := newID()
	right := t.request.CallBackURL
	s.sendForgery(t, otherToken(right), t.id, success)
	s.sendForgery(t, otherToken(right), t.id, failed)
	s.sendForgery(t, right, stranger, s.forgedSuccess(t, stranger))
	// The right path and the right task leave the signature as the only
	// difference, and the record as the only truth.
	if t.job.lot%2 == 0 {
		s.sendForgery(t, right, t.id, success)
	} else {
		s.sendForgery(t, right, t.id, failed)
	}
}

func (s *Server) forgedSuccess(t *task, taskID string) []byte {
	return encode(map[string]any{"code": codeOK, "msg": successMsg, "data": map[string]any{
		"taskId":     taskID,
		"promptJson": t.echo(),
		"resultUrls": []string{t.base + "/forged/" + t.id + ".mp4", metadataURL},
	}})
}

func (s *Server) sendForgery(t *task, address, taskID string, body []byte) {
	var proof signature
	if s.hmacKey() != "" {
		proof = signed("the forger's own key", taskID, s.options.Now())
	}
	s.book(t, func(sum *Callbacks) { sum.Forged++ })
	status, err := s.post(address, body, proof)
	if err == nil && status == http.StatusOK {
		s.book(t, func(sum *Callbacks) { sum.ForgedAcknowledged++ })
	}
}

// otherToken replaces the last part of a callback URL's path.
func otherToken(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return address
	}
	kept := parsed.EscapedPath()
	parsed.Path, parsed.RawPath = "", ""
	if cut := strings.LastIndexByte(kept, '/'); cut >= 0 {
		kept = kept[:cut]
	}
	guess := (rand.Text() + rand.Text())[:43]
	return parsed.JoinPath(kept, guess).String()
}

// announceSomebodyElse posts, to this task's callback URL, a genuine callback
// for a task that exists and is not this job's.
func (s *Server) announceSomebodyElse(t *task) {
	other := request{
		Prompt:      "somebody else's video",
		VideoURL:    "https://cdn.example.org/somebody-else.mp4",
		CallBackURL: "https://hooks.example.org/somebody-else",
	}
	owner := &job{exposure: exposedTo(nil), lot: t.job.lot + 1}
	decoy := newTask(newID(), owner, other, markers{results: 1}, t.base, s.options.Now())
	if err := s.end(s.ctx, decoy); err != nil {
		return
	}
	s.mu.Lock()
	s.tasks[decoy.id] = decoy
	s.mu.Unlock()
	s.book(t, func(sum *Callbacks) { sum.WrongTask++ })
	_, _ = s.post(t.request.CallBackURL, s.callbackBody(decoy), s.sign(decoy.id))
}
