package kietest_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie/kietest"
)

const hmacKey = "test-hmac-key"

// signedFor reports whether a delivery is signed for a task with hmacKey.
func signedFor(d delivery, taskID string) bool {
	mac := hmac.New(sha256.New, []byte(hmacKey))
	_, _ = fmt.Fprintf(mac, "%s.%s", taskID, d.header.Get("X-Webhook-Timestamp"))
	return d.header.Get("X-Webhook-Signature") == base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// age is the age of the signature of a delivery at its arrival.
func age(t *testing.T, d delivery) time.Duration {
	t.Helper()
	seconds, err := strconv.ParseInt(d.header.Get("X-Webhook-Timestamp"), 10, 64)
	require.NoError(t, err)
	return d.at.Sub(time.Unix(seconds, 0))
}

func TestSignatureMatchesTheReference(t *testing.T) {
	// Computed with openssl from the documented construction.
	reference := delivery{header: http.Header{
		"X-Webhook-Timestamp": {"1755078480"},
		"X-Webhook-Signature": {"zqgV4cMp+Ui+SoYodzD74znhyJDMjeH6+qHvimGk5x4="},
	}}
	require.True(t, signedFor(reference, "774d9a7dd608a0e49293903095e45a4c"))
	require.False(t, signedFor(reference, "774d9a7dd608a0e49293903095e45a4d"))
}

func TestCallbackOfASuccess(t *testing.T) {
	hooks := newReceiver(t)
	kie := start(t, kietest.Options{HMACKey: hmacKey})
	charge := kie.callbacksDone(t, kie.accepted(t, fields{"prompt": "snow", "videoUrl": source, "callBackUrl": hooks.url, "watermark": "w"}))
	got := hooks.deliveries()
	require.Len(t, got, 1)
	require.Equal(t, "application/json", got[0].header.Get("Content-Type"))
	require.True(t, signedFor(got[0], charge.TaskID))
	require.Less(t, age(t, got[0]).Abs(), time.Minute)

	var body struct {
		Code int
		Msg  string
		Data struct {
			TaskID     string
			PromptJSON string
			ResultURLs []string `json:"resultUrls"`
		}
	}
	require.NoError(t, json.Unmarshal(got[0].body, &body))
	require.Equal(t, 200, body.Code)
	require.Equal(t, "Modify record generated successfully.", body.Msg)
	require.Equal(t, charge.TaskID, body.Data.TaskID)
	require.Equal(t, []string{charge.Results[0].URL}, body.Data.ResultURLs)
	require.JSONEq(t, fmt.Sprintf(`{"callBackUrl":%q,"prompt":"snow","videoUrl":%q,"waterMark":"w"}`, hooks.url, source), body.Data.PromptJSON)
	require.Equal(t, kietest.Callbacks{Sent: 1, Acknowledged: 1}, charge.Callbacks)
	require.Equal(t, charge.Callbacks, kie.Ledger().Callbacks)
}

func TestWithoutAKeyCallbacksAreUnsigned(t *testing.T) {
	hooks := newReceiver(t)
	kie := start(t, kietest.Options{})
	kie.accepted(t, fields{"prompt": "snow", "videoUrl": source, "callBackUrl": hooks.url})
	got := hooks.await(t, 1)
	require.NotContains(t, got[0].header, "X-Webhook-Signature")
	require.NotContains(t, got[0].header, "X-Webhook-Timestamp")
}

func TestCallbackIsRetriedThreeTimes(t *testing.T) {
	for name, tc := range map[string]struct {
		answer func(n int) int
		want   kietest.Callbacks
		flag   int
	}{
		"last try":       {func(n int) int { return map[bool]int{true: 200, false: 503}[n == 4] }, kietest.Callbacks{Sent: 4, Acknowledged: 1, Failed: 3}, 1},
		"never":          {func(int) int { return 500 }, kietest.Callbacks{Sent: 4, Failed: 4}, 4},
		"only 200 is ok": {func(int) int { return 204 }, kietest.Callbacks{Sent: 4, Failed: 4}, 4},
		"no redirects":   {func(int) int { return 307 }, kietest.Callbacks{Sent: 4, Failed: 4}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			hooks := newReceiver(t)
			hooks.answer = tc.answer
			kie := start(t, kietest.Options{HMACKey: hmacKey})
			taskID := kie.accepted(t, fields{"prompt": "snow", "videoUrl": source, "callBackUrl": hooks.url})
			charge := kie.callbacksDone(t, taskID)
			require.Equal(t, tc.want, charge.Callbacks)
			require.Equal(t, tc.flag, charge.Flag)
			got := kie.record(t, taskID)
			require.Equal(t, tc.flag, got.SuccessFlag)
			require.Len(t, got.Response.ResultURLs, 1, "flag 4 is a success")
			for _, delivery := range hooks.deliveries() {
				require.True(t, signedFor(delivery, taskID))
				require.NotEqual(t, "/elsewhere", delivery.path)
			}
		})
	}
}

// inMemory answers requests without a network, for tests with a fake clock.
type inMemory struct{ http.Handler }

func (m inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	m.ServeHTTP(recorder, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return recorder.Result(), nil
}

func post(t *testing.T, kie http.Handler, body fields) {
	t.Helper()
	text, err := json.Marshal(body)
	require.NoError(t, err)
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/v1/modify/generate", strings.NewReader(string(text)))
	request.Header.Set("Authorization", "Bearer key")
	request.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	kie.ServeHTTP(recorder, request)
	var got struct{ Data struct{ TaskID string } }
	require.NoError(t, json.Unmarshal(recorder.Body.Bytes(), &got))
	require.NotEmpty(t, got.Data.TaskID)
}

func TestCallbackDelays(t *testing.T) {
	const render = 5 * time.Minute
	for name, tc := range map[string]struct {
		fault  string
		answer http.HandlerFunc
		want   []time.Duration // of the deliveries, since the submission
	}{
		"on time": {
			answer: func(http.ResponseWriter, *http.Request) {},
			want:   []time.Duration{render},
		},
		"late": {
			fault:  kietest.CallbackLate,
			answer: func(http.ResponseWriter, *http.Request) {},
			want:   []time.Duration{render + 2*time.Minute},
		},
		"refused": {
			answer: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
			want:   []time.Duration{render, render + 5*time.Second, render + 10*time.Second, render + 15*time.Second},
		},
		"too slow for 15 seconds": {
			answer: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
			want:   []time.Duration{render, render + 20*time.Second, render + 40*time.Second, render + 60*time.Second},
		},
		"slow but in time": {
			answer: func(http.ResponseWriter, *http.Request) { time.Sleep(14 * time.Second) },
			want:   []time.Duration{render},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				var mu sync.Mutex
				var got []time.Duration
				var stamps []string
				kie, err := kietest.New(kietest.Options{
					Render:  render,
					HMACKey: hmacKey,
					Client: &http.Client{Transport: inMemory{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						mu.Lock()
						got = append(got, time.Since(begun))
						stamps = append(stamps, r.Header.Get("X-Webhook-Timestamp"))
						mu.Unlock()
						tc.answer(w, r)
					})}},
				})
				require.NoError(t, err)
				prompt := "snow"
				if tc.fault != "" {
					prompt = kietest.WithFaults(prompt, tc.fault)
				}
				post(t, kie, fields{"prompt": prompt, "videoUrl": source, "callBackUrl": "https://hooks.example.org/x/y"})
				time.Sleep(time.Hour)
				synctest.Wait()
				require.Equal(t, tc.want, got)
				for n, stamp := range stamps {
					require.Equal(t, strconv.FormatInt(begun.Add(got[n]).Unix(), 10), stamp, "each attempt is signed with its own time")
				}
				require.NoError(t, kie.Close())
			})
		})
	}
}

func TestEarlyCallbackPrecedesTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const answerDelay = 10 * time.Second
		kie, err := kietest.New(kietest.Options{
			Render: time.Hour,
			Client: &http.Client{Transport: inMemory{http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				time.Sleep(answerDelay)
				w.WriteHeader(http.StatusServiceUnavailable)
			})}},
		})
		require.NoError(t, err)
		begun := time.Now()
		post(t, kie, fields{"prompt": kietest.WithFaults("snow", kietest.CallbackEarly), "videoUrl": source, "callBackUrl": "https://hooks.example.org/x/y"})
		require.Equal(t, answerDelay, time.Since(begun), "the submission waits for the first attempt only")
		require.NoError(t, kie.Close())
	})
}

func TestCloseCancelsCallbacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kie, err := kietest.New(kietest.Options{
			Client: &http.Client{Transport: inMemory{http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				<-r.Context().Done()
			})}},
		})
		require.NoError(t, err)
		post(t, kie, fields{"prompt": "snow", "videoUrl": source, "callBackUrl": "https://hooks.example.org/x/y"})
		synctest.Wait()
		begun := time.Now()
		require.NoError(t, kie.Close())
		require.Zero(t, time.Since(begun))
		require.False(t, kie.Ledger().Tasks[0].Settled)
		require.Equal(t, 1, kie.Ledger().Tasks[0].Flag)
	})
}

func TestUnresponsiveReceiverEndsInFlag4(t *testing.T) {
	kie := start(t, kietest.Options{CallbackTimeout: 20 * time.Millisecond})
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-done:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer close(done)
	charge := kie.callbacksDone(t, kie.accepted(t, fields{"prompt": "snow", "videoUrl": source, "callBackUrl": server.URL + "/a/b"}))
	require.Equal(t, kietest.Callbacks{Sent: 4, Failed: 4}, charge.Callbacks)
	require.Equal(t, 4, kie.record(t, charge.TaskID).SuccessFlag)
}

func checkStaleSignatures(t *testing.T, s *scenario) {
	s.hooks.answer = func(int) int { return http.StatusUnauthorized }
	charge := s.callbacksDone(t, s.accepted(t, s.body))
	got := s.hooks.deliveries()
	require.Len(t, got, 4)
	require.Empty(t, got[0].header.Get("X-Webhook-Signature"))
	for _, stale := range got[1:] {
		require.True(t, signedFor(stale, charge.TaskID))
		require.Greater(t, age(t, stale), 9*time.Minute)
	}
	require.Equal(t, 4, charge.Flag)
}
