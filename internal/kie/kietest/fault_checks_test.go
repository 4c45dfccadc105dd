package kietest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie/kietest"
)

// faultChecks has, for every fault on the menu, a client that observes it.
var faultChecks = map[string]func(*testing.T, *scenario){
	kietest.RateLimited:  refusedFor(429, 2),
	kietest.Maintenance:  refusedFor(455, 2),
	kietest.NoCredit:     refusedFor(402, 2),
	kietest.Unauthorized: refusedFor(401, 1),
	kietest.Refused: func(t *testing.T, s *scenario) {
		for range 5 {
			require.Equal(t, 422, s.submit(t, s.body).Code)
		}
		require.Zero(t, s.Ledger().Charges)
	},

	kietest.ResponseLost: func(t *testing.T, s *scenario) {
		_, _, err := s.call(t, http.MethodPost, "/api/v1/modify/generate", s.body)
		require.Truef(t, errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF), "%v", err)
		s.requireCharged(t, "lost")
	},
	kietest.Response500: func(t *testing.T, s *scenario) {
		status, _, err := s.call(t, http.MethodPost, "/api/v1/modify/generate", s.body)
		require.NoError(t, err)
		require.Equal(t, http.StatusInternalServerError, status)
		s.requireCharged(t, "http-500")
	},
	kietest.ResponseGarbled: func(t *testing.T, s *scenario) {
		status, text, err := s.call(t, http.MethodPost, "/api/v1/modify/generate", s.body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status)
		var got struct {
			Code int
			Data struct{ TaskID string }
		}
		if json.Unmarshal(text, &got) == nil {
			require.Equal(t, 200, got.Code)
			require.Empty(t, got.Data.TaskID)
		}
		s.requireCharged(t, "garbled")
	},
	kietest.SlowResponse: func(t *testing.T, s *scenario) {
		begun := time.Now()
		s.accepted(t, s.body)
		require.GreaterOrEqual(t, time.Since(begun), shortDelay)
	},

	kietest.GenerationFailed: failsWith(3, 501, "生成失败"),
	kietest.CreateFailed:     failsWith(2, 500, "upstream"),
	kietest.Moderation:       failsWith(3, 400, "moderation"),
	kietest.Flag4: func(t *testing.T, s *scenario) {
		charge := s.finished(t, s.body)
		got := s.record(t, charge.TaskID)
		require.Equal(t, 4, got.SuccessFlag)
		require.Len(t, got.Response.ResultURLs, 1)
	},
	kietest.Flag4Late: func(t *testing.T, s *scenario) {
		charge := s.finished(t, s.body)
		for range 2 {
			got := s.record(t, charge.TaskID)
			require.Equal(t, 4, got.SuccessFlag)
			require.Nil(t, got.Response)
		}
		got := s.record(t, charge.TaskID)
		require.Equal(t, 4, got.SuccessFlag)
		require.Len(t, got.Response.ResultURLs, 1)
	},
	kietest.UnknownFlag: func(t *testing.T, s *scenario) {
		charge := s.finished(t, s.body)
		for range 2 {
			got := s.record(t, charge.TaskID)
			require.Equal(t, 7, got.SuccessFlag)
			require.Nil(t, got.Response)
		}
		require.Equal(t, 1, s.record(t, charge.TaskID).SuccessFlag)
	},

	kietest.Record5xx: func(t *testing.T, s *scenario) {
		charge := s.finished(t, s.body)
		require.Equal(t, []int{500, 503, 200}, s.polls(t, charge.TaskID, 3))
		require.Equal(t, 1, s.record(t, charge.TaskID).SuccessFlag)
	},
	kietest.RecordMissing: func(t *testing.T, s *scenario) {
		charge := s.finished(t, s.body)
		for range 2 {
			got := s.callAPI(t, http.MethodGet, "/api/v1/modify/record-info?taskId="+charge.TaskID, nil)
			require.Equal(t, 422, got.Code)
			require.Equal(t, "record does not exist", got.Msg)
		}
		require.Equal(t, 1, s.record(t, charge.TaskID).SuccessFlag)
	},
	kietest.RecordDown: func(t *testing.T, s *scenario) {
		charge := s.finished(t, s.body)
		require.Equal(t, []int{500, 503, 500, 503, 500}, s.polls(t, charge.TaskID, 5))
	},

	kietest.RecordWithoutEcho: func(t *testing.T, s *scenario) {
		charge := s.finished(t, s.body)
		for range 3 {
			require.Equal(t, `{"prompt":"`+charge.Prompt+`","videoUrl":"`+source+`","waterMark":""}`, s.record(t, charge.TaskID).ParamJSON)
		}
		require.Contains(t, string(s.hooks.await(t, 1)[0].body), "callBackUrl", "the callback has it")
	},
	kietest.RecordEchoLate: func(t *testing.T, s *scenario) {
		charge := s.finished(t, s.body)
		begin := time.Now()
		require.NotContains(t, s.record(t, charge.TaskID).ParamJSON, "callBackUrl")
		require.Eventually(t, func() bool {
			return strings.Contains(s.record(t, charge.TaskID).ParamJSON, s.hooks.url)
		}, waitMax, tick)
		require.GreaterOrEqual(t, time.Since(begin), shortDelay)
	},

	kietest.CallbackLost: func(t *testing.T, s *scenario) {
		charge := s.callbacksDone(t, s.accepted(t, s.body))
		require.Empty(t, s.hooks.deliveries())
		require.Equal(t, 1, charge.Flag, "a lost callback counts as delivered")
	},
	kietest.CallbackEarly: func(t *testing.T, s *scenario) {
		taskID := s.accepted(t, s.body)
		early := s.hooks.deliveries()
		require.Len(t, early, 1)
		require.Contains(t, string(early[0].body), taskID)
		require.Equal(t, 1, s.record(t, taskID).SuccessFlag)
	},
	kietest.CallbackDuplicated: func(t *testing.T, s *scenario) {
		charge := s.callbacksDone(t, s.accepted(t, s.body))
		got := s.hooks.deliveries()
		require.Len(t, got, 3)
		require.Equal(t, got[0].body, got[1].body)
		require.Equal(t, got[0].body, got[2].body)
		require.Equal(t, 3, charge.Callbacks.Acknowledged)
	},
	kietest.CallbackLate: func(t *testing.T, s *scenario) {
		charge := s.finished(t, s.body)
		require.Empty(t, charge.Callbacks)
		late := s.hooks.await(t, 1)
		require.GreaterOrEqual(t, late[0].at.Sub(charge.Ended), shortDelay)
	},
	kietest.CallbackForged:       checkForgeries,
	kietest.CallbackWrongTask:    checkForeignCallback,
	kietest.CallbackSpelling:     checkSiblingCallback,
	kietest.CallbackUnsignedSkew: checkStaleSignatures,

	kietest.LinkExpired: func(t *testing.T, s *scenario) {
		result := s.finished(t, s.body).Results[0]
		for range 3 {
			require.Equal(t, http.StatusForbidden, s.get(t, result.URL).status)
		}
		require.Equal(t, http.StatusForbidden, s.fetch(t, http.MethodHead, result.URL).status)
		requireWhole(t, result, s.get(t, s.downloadURL(t, result.URL)))
	},
	kietest.LinkGone: func(t *testing.T, s *scenario) {
		charge := s.finished(t, s.body)
		dead := s.record(t, charge.TaskID).Response.ResultURLs[0]
		require.Contains(t, []int{http.StatusForbidden, http.StatusNotFound}, s.get(t, dead).status)
		require.Equal(t, 422, s.postDownloadURL(t, dead).Code)
		fresh := s.record(t, charge.TaskID).Response.ResultURLs[0]
		require.NotEqual(t, dead, fresh)
		requireWhole(t, charge.Results[0], s.get(t, fresh))
		require.NotEqual(t, http.StatusOK, s.get(t, dead).status)
		requireWhole(t, charge.Results[0], s.get(t, s.downloadURL(t, fresh)))
	},
	kietest.NotYetThere: answersFirst(http.StatusNotFound, 2),
	kietest.Download429: func(t *testing.T, s *scenario) {
		result := s.finished(t, s.body).Results[0]
		for range 2 {
			got := s.get(t, result.URL)
			require.Equal(t, http.StatusTooManyRequests, got.status)
			require.Equal(t, "1", got.header.Get("Retry-After"))
		}
		requireWhole(t, result, s.get(t, result.URL))
	},
	kietest.RedirectPrivate: func(t *testing.T, s *scenario) {
		result := s.finished(t, s.body).Results[0]
		got := s.get(t, result.URL)
		require.Equal(t, http.StatusFound, got.status)
		require.True(t, strings.HasPrefix(got.header.Get("Location"), "http://169.254.169.254/"))
		requireWhole(t, result, s.get(t, result.URL))
	},

	kietest.Truncated: breaksOff(2, io.ErrUnexpectedEOF),
	kietest.Reset:     breaksOff(2, syscall.ECONNRESET),
	kietest.Stall: func(t *testing.T, s *scenario) {
		result := s.finished(t, s.body).Results[0]
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, result.URL, nil)
		require.NoError(t, err)
		answer, err := s.client.Do(request)
		require.NoError(t, err)
		defer answer.Body.Close()
		_, err = io.ReadFull(answer.Body, make([]byte, result.Bytes/2))
		require.NoError(t, err)
		// The next byte does not arrive before the server closes.
		ended := make(chan error, 1)
		go func() {
			_, err := answer.Body.Read(make([]byte, 1))
			ended <- err
		}()
		requireWhole(t, result, s.get(t, result.URL))
		select {
		case err := <-ended:
			require.Fail(t, "the stall ended", "%v", err)
		default:
		}
		require.NoError(t, s.Close())
		require.ErrorIs(t, <-ended, io.ErrUnexpectedEOF)
	},
	kietest.HTML: func(t *testing.T, s *scenario) {
		result := s.finished(t, s.body).Results[0]
		for range 2 {
			got := s.get(t, result.URL)
			require.Equal(t, http.StatusOK, got.status)
			require.Contains(t, string(got.body), "<html>")
		}
		requireWhole(t, result, s.get(t, result.URL))
	},
	kietest.WrongRange: func(t *testing.T, s *scenario) {
		result := s.finished(t, s.body).Results[0]
		part := s.cutOff(t, result)
		have := len(part.body)
		resume := []string{"Range", fmt.Sprintf("bytes=%d-", have), "If-Range", part.header.Get("ETag")}
		for range 2 {
			got := s.get(t, result.URL, resume...)
			require.NoError(t, got.err)
			require.Equal(t, http.StatusPartialContent, got.status)
			require.Equal(t, fmt.Sprintf("bytes %d-%d/%d", have/2, result.Bytes-1, result.Bytes), got.header.Get("Content-Range"))
			require.Equal(t, result.SHA256, sum(append(part.body[:have/2:have/2], got.body...)))
		}
		got := s.get(t, result.URL, resume...)
		require.Equal(t, result.SHA256, sum(append(part.body, got.body...)))
	},
	kietest.NoRange: func(t *testing.T, s *scenario) {
		result := s.finished(t, s.body).Results[0]
		part := s.cutOff(t, result)
		for range 2 {
			requireWhole(t, result, s.get(t, result.URL, "Range", fmt.Sprintf("bytes=%d-", len(part.body)), "If-Range", part.header.Get("ETag")))
		}
	},
	kietest.EtagChanged: func(t *testing.T, s *scenario) {
		result := s.finished(t, s.body).Results[0]
		before := s.fetch(t, http.MethodHead, result.URL).header.Get("ETag")
		part := s.cutOff(t, result)
		require.Equal(t, before, part.header.Get("ETag"))
		got := s.get(t, result.URL, "Range", fmt.Sprintf("bytes=%d-", len(part.body)), "If-Range", part.header.Get("ETag"))
		requireWhole(t, result, got)
		require.NotEqual(t, part.header.Get("ETag"), got.header.Get("ETag"))
		require.Equal(t, got.header.Get("ETag"), s.fetch(t, http.MethodHead, result.URL).header.Get("ETag"))
		boxes(t, got.body)
	},
}

// shortDelay replaces the long default delays in these tests.
const shortDelay = 50 * time.Millisecond

// scenario is a provider, a receiver of callbacks and a job with one fault.
type scenario struct {
	*provider
	hooks *receiver
	body  fields
}

func refusedFor(code, times int) func(*testing.T, *scenario) {
	return func(t *testing.T, s *scenario) {
		for range times {
			got := s.submit(t, s.body)
			require.Equal(t, code, got.Code)
			require.Equal(t, "null", string(got.Data))
		}
		require.Zero(t, s.Ledger().Charges)
		s.finished(t, s.body)
		require.Equal(t, map[int]int{code: times}, s.Ledger().Refused)
	}
}

func (s *scenario) requireCharged(t *testing.T, response string) {
	t.Helper()
	require.Equal(t, 1, s.Ledger().Charges)
	charge := s.ended(t, s.Ledger().Tasks[0].TaskID)
	require.Equal(t, response, charge.Response)
	// The callback holds the task id.
	require.Contains(t, string(s.hooks.await(t, 1)[0].body), charge.TaskID)
	// A second submission is charged and answered.
	s.finished(t, s.body)
	require.Equal(t, 2, s.Ledger().Charges)
}

func failsWith(flag, code int, message string) func(*testing.T, *scenario) {
	return func(t *testing.T, s *scenario) {
		charge := s.callbacksDone(t, s.accepted(t, s.body))
		require.Empty(t, charge.Results)
		require.Equal(t, flag, charge.Flag)
		got := s.record(t, charge.TaskID)
		require.Equal(t, flag, got.SuccessFlag)
		require.Equal(t, code, *got.ErrorCode)
		require.Contains(t, *got.ErrorMessage, message)
		require.Nil(t, got.Response)
		var body struct {
			Code int
			Msg  string
			Data map[string]any
		}
		require.NoError(t, json.Unmarshal(s.hooks.deliveries()[0].body, &body))
		require.Equal(t, 500, body.Code)
		require.Equal(t, "Modify record generation failed.", body.Msg)
		require.Equal(t, charge.TaskID, body.Data["taskId"])
		require.NotContains(t, body.Data, "resultUrls")
	}
}

// polls reads a record n times and returns the HTTP statuses.
func (s *scenario) polls(t *testing.T, taskID string, n int) []int {
	t.Helper()
	var statuses []int
	for range n {
		status, _, err := s.call(t, http.MethodGet, "/api/v1/modify/record-info?taskId="+taskID, nil)
		require.NoError(t, err)
		statuses = append(statuses, status)
	}
	return statuses
}

func answersFirst(status, times int) func(*testing.T, *scenario) {
	return func(t *testing.T, s *scenario) {
		result := s.finished(t, s.body).Results[0]
		for range times {
			require.Equal(t, status, s.get(t, result.URL).status)
		}
		requireWhole(t, result, s.get(t, result.URL))
	}
}

func breaksOff(times int, want error) func(*testing.T, *scenario) {
	return func(t *testing.T, s *scenario) {
		result := s.finished(t, s.body).Results[0]
		for range times {
			got := s.get(t, result.URL)
			require.ErrorIs(t, got.err, want)
			require.Equal(t, strconv.FormatInt(result.Bytes, 10), got.header.Get("Content-Length"))
			require.Less(t, int64(len(got.body)), result.Bytes)
		}
		requireWhole(t, result, s.get(t, result.URL))
	}
}

// cutOff downloads the first half of a result.
func (s *scenario) cutOff(t *testing.T, result kietest.Result) reply {
	t.Helper()
	part := s.get(t, result.URL)
	require.ErrorIs(t, part.err, io.ErrUnexpectedEOF)
	require.Len(t, part.body, int(result.Bytes/2))
	return part
}
