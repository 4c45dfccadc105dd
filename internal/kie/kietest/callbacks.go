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
	// callbackRetries is documented; whether the first attempt counts is not.
	callbackRetries = 3
	// staleBy puts a time stamp outside any sensible replay window.
	staleBy = 10 * time.Minute
)

// callbackClient does not follow redirects: a receiver must answer itself.
func callbackClient(given *http.Client) *http.Client {
	client := http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
	if given != nil {
		client = *given
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client
}

// announce sends a finished task's callback, with whatever goes wrong.
func (s *Server) announce(t *task) {
	defer s.settle(t)
	faults := &t.exposure
	if t.request.CallBackURL == "" || s.strike(faults, CallbackLost, 1) {
		return
	}
	early := s.strike(faults, CallbackEarly, 1)
	if !early && s.strike(faults, CallbackLate, 1) && s.pause(s.ctx, s.options.CallbackLate) != nil {
		return
	}
	if s.strike(faults, CallbackWrongTask, 1) {
		s.announceSomebodyElse(t)
	}
	body := s.callbackBody(t)
	if !s.deliver(t, body) {
		if s.ctx.Err() == nil {
			s.mu.Lock()
			t.callbackFailed = true
			s.mu.Unlock()
		}
		return
	}
	if s.strike(faults, CallbackDuplicated, 1) {
		var copies sync.WaitGroup
		for range 2 {
			copies.Go(func() { s.attempt(t, body, s.sign(t.id)) })
		}
		copies.Wait()
	}
}

// deliver sends a callback until it is acknowledged or the retries are used up.
func (s *Server) deliver(t *task, body []byte) bool {
	for try := range 1 + callbackRetries {
		if try > 0 && s.pause(s.ctx, s.options.CallbackRetryEvery) != nil {
			return false
		}
		delivered := s.attempt(t, body, s.signature(t, try))
		t.markAnnounced()
		if delivered {
			return true
		}
	}
	return false
}

// signature is made afresh for every attempt.
func (s *Server) signature(t *task, try int) signature {
	key := s.hmacKey()
	if key == "" || !s.strike(&t.exposure, CallbackUnsignedSkew, always) {
		return s.sign(t.id)
	}
	if try == 0 {
		return signature{}
	}
	return signed(key, t.id, s.options.Now().Add(-staleBy))
}

// attempt sends one genuine callback and books it.
func (s *Server) attempt(t *task, body []byte, proof signature) bool {
	s.book(t, func(sum *Callbacks) { sum.Sent++ })
	status, err := s.post(t.request.CallBackURL, body, proof)
	acknowledged := err == nil && status == http.StatusOK
	s.book(t, func(sum *Callbacks) {
		if acknowledged {
			sum.Acknowledged++
		} else {
			sum.Failed++
		}
	})
	s.log.Debug("callback", "taskId", t.id, "status", status, "error", err)
	return acknowledged
}

func (s *Server) book(t *task, change func(*Callbacks)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&t.callbacks)
}

// post makes one delivery. Any status but 200 is a failed one.
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
	_, _ = io.CopyN(io.Discard, answer.Body, 64<<10) // lets the connection be used again
	return answer.StatusCode, nil
}

// withoutURL keeps the tokens and signatures of URLs out of logs.
func withoutURL(err error) error {
	var named *url.Error
	if errors.As(err, &named) {
		return named.Err
	}
	return err
}

// settle ends the callbacks of a task for good.
func (s *Server) settle(t *task) {
	t.markAnnounced()
	if s.ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t.settled = true
	if err := s.journal.settle(t); err != nil {
		s.log.Error("could not write the bill", "error", err)
	}
}

// signature proves that a callback for a task comes from kie.ai. Without a key
// it is empty.
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
