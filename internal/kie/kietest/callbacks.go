package kietest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
)

const (
	// callbackRetries: kie.ai documents three retries, but not whether the first
	// attempt counts.
	callbackRetries = 3
	// staleBy is longer than any common replay window.
	staleBy = 10 * time.Minute
)

// callbackClient returns a client that follows no redirects.
func callbackClient(given *http.Client) *http.Client {
	client := http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
	if given != nil {
		client = *given
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client
}

// sendCallback delivers the callback of a finished task, with its faults.
func (s *Server) sendCallback(t *task) {
	defer s.endCallbacks(t)
	faults := &t.faults
	if t.request.CallBackURL == "" || s.inject(faults, CallbackLost, 1) {
		return
	}
	early := s.inject(faults, CallbackEarly, 1)
	if !early && s.inject(faults, CallbackLate, 1) && s.pause(s.ctx, s.options.CallbackLate) != nil {
		return
	}
	if s.inject(faults, CallbackWrongTask, 1) {
		s.sendForeignCallback(t)
	}
	body := s.callback(t)
	if !s.deliverWithRetries(t, body) {
		if s.ctx.Err() == nil {
			s.mu.Lock()
			t.callbackFailed = true
			s.mu.Unlock()
		}
		return
	}
	if s.inject(faults, CallbackDuplicated, 1) {
		var copies sync.WaitGroup
		for range 2 {
			copies.Go(func() { s.deliverOnce(t, body, s.sign(t.id)) })
		}
		copies.Wait()
	}
}

// deliverWithRetries sends a callback until it is acknowledged or the retries are
// exhausted. It reports whether it was acknowledged.
func (s *Server) deliverWithRetries(t *task, body []byte) bool {
	for try := range 1 + callbackRetries {
		if try > 0 && s.pause(s.ctx, s.options.CallbackRetryEvery) != nil {
			return false
		}
		delivered := s.deliverOnce(t, body, s.signature(t, try))
		t.markAttempted()
		if delivered {
			return true
		}
	}
	return false
}

// signature signs one attempt with the time of the attempt.
func (s *Server) signature(t *task, try int) signature {
	key := s.hmacKey()
	if key == "" || !s.inject(&t.faults, CallbackUnsignedSkew, unlimited) {
		return s.sign(t.id)
	}
	if try == 0 {
		return signature{}
	}
	return signed(key, t.id, s.options.Now().Add(-staleBy))
}

// deliverOnce sends the genuine callback once and counts it.
func (s *Server) deliverOnce(t *task, body []byte, proof signature) bool {
	s.countCallback(t, func(sum *Callbacks) { sum.Sent++ })
	status, err := s.post(t.request.CallBackURL, body, proof)
	acknowledged := err == nil && status == http.StatusOK
	s.countCallback(t, func(sum *Callbacks) {
		if acknowledged {
			sum.Acknowledged++
		} else {
			sum.Failed++
		}
	})
	s.log.Debug("callback", "taskId", t.id, "status", status, "error", err)
	return acknowledged
}

func (s *Server) countCallback(t *task, change func(*Callbacks)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&t.callbacks)
}

// post sends one callback. Only status 200 acknowledges it.
func (s *Server) post(address string, body []byte, proof signature) (status int, err error) {
	ctx, cancel := context.WithTimeout(s.ctx, s.options.CallbackTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("callback: %w", withoutURL(err))
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "kie-callback")
	if proof.signature != "" {
		request.Header.Set("X-Webhook-Timestamp", proof.timestamp)
		request.Header.Set("X-Webhook-Signature", proof.signature)
	}
	answer, err := s.client.Do(request)
	if err != nil {
		return 0, fmt.Errorf("callback: %w", withoutURL(err))
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, 64<<10) // so that the connection can be reused
	return answer.StatusCode, nil
}

// withoutURL keeps the tokens and signatures of URLs out of logs.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

// endCallbacks records that no further callback of a task will be sent.
func (s *Server) endCallbacks(t *task) {
	t.markAttempted()
	if s.ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t.callbacksEnded = true
	if err := s.journal.callbacksEnded(t); err != nil {
		s.log.Error("could not write the bill", "error", err)
	}
}

// signature is the pair of signature headers of a callback; empty without a key.
type signature struct{ timestamp, signature string }

func (s *Server) sign(taskID string) signature {
	key := s.hmacKey()
	if key == "" {
		return signature{}
	}
	return signed(key, taskID, s.options.Now())
}

func signed(key, taskID string, at time.Time) signature {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(taskID + "." + timestamp))
	return signature{timestamp, base64.StdEncoding.EncodeToString(mac.Sum(nil))}
}
