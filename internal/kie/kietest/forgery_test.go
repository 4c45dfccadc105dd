package kietest_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie/kietest"
)

func checkForgeries(t *testing.T, s *scenario) {
	s.hooks.answer = func(n int) int { return map[bool]int{true: 401, false: 200}[n <= 4] }
	charge := s.callbacksDone(t, s.accepted(t, s.body))
	got := s.hooks.deliveries()
	require.Len(t, got, 5)
	var wrongToken, wrongTask, falseContent, successes, failures int
	var forgedLink string
	for _, forged := range got[:4] {
		var body struct {
			Code int
			Data struct {
				TaskID     string
				ResultURLs []string `json:"resultUrls"`
			}
		}
		require.NoError(t, json.Unmarshal(forged.body, &body))
		require.False(t, signedFor(forged, body.Data.TaskID), "a forgery has a valid signature")
		require.NotEmpty(t, forged.header.Get("X-Webhook-Signature"))
		rightPath := strings.HasSuffix(forged.path, "/"+token)
		switch {
		case !rightPath:
			wrongToken++
			require.True(t, strings.HasPrefix(forged.path, "/callbacks/luma/job-1/"))
			require.Len(t, forged.path, len("/callbacks/luma/job-1/")+43)
		case body.Data.TaskID != charge.TaskID:
			wrongTask++
		default:
			falseContent++
		}
		if body.Code == 200 {
			successes++
			forgedLink = body.Data.ResultURLs[0]
			require.Contains(t, body.Data.ResultURLs[1], "169.254.169.254")
		} else {
			failures++
		}
	}
	require.Equal(t, []int{2, 1, 1}, []int{wrongToken, wrongTask, falseContent})
	require.Equal(t, 4, successes+failures)
	require.GreaterOrEqual(t, successes, 2)
	require.GreaterOrEqual(t, failures, 1)
	require.True(t, signedFor(got[4], charge.TaskID), "the genuine callback")
	require.Equal(t, kietest.Callbacks{Sent: 1, Acknowledged: 1, Forged: 4}, charge.Callbacks)

	require.Zero(t, s.Ledger().ForgedDownloads)
	forged := s.get(t, forgedLink)
	boxes(t, forged.body)
	require.NotEqual(t, charge.Results[0].SHA256, sum(forged.body))
	require.Equal(t, 1, s.Ledger().ForgedDownloads)
}

func TestAcknowledgedForgeriesAreCounted(t *testing.T) {
	hooks := newReceiver(t)
	kie := start(t, kietest.Options{})
	charge := kie.callbacksDone(t, kie.accepted(t, fields{
		"prompt": kietest.WithFaults("snow", kietest.CallbackForged), "videoUrl": source, "callBackUrl": hooks.url}))
	require.Equal(t, kietest.Callbacks{Sent: 1, Acknowledged: 1, Forged: 4, ForgedAcknowledged: 4}, charge.Callbacks)
}

func TestForgedTokenKeepsAnEscapedPath(t *testing.T) {
	hooks := newReceiver(t)
	kie := start(t, kietest.Options{})
	escaped := strings.Replace(hooks.url, "job-1", "a%2Fb%20c", 1)
	kie.callbacksDone(t, kie.accepted(t, fields{
		"prompt": kietest.WithFaults("snow", kietest.CallbackForged), "videoUrl": source, "callBackUrl": escaped}))
	for _, delivery := range hooks.deliveries() {
		require.True(t, strings.HasPrefix(delivery.path, "/callbacks/luma/a/b c/"), delivery.path)
	}
}

func checkForeignCallback(t *testing.T, s *scenario) {
	charge := s.callbacksDone(t, s.accepted(t, s.body))
	got := s.hooks.deliveries()
	require.Len(t, got, 2)
	var body struct{ Data struct{ TaskID string } }
	require.NoError(t, json.Unmarshal(got[0].body, &body))
	other := body.Data.TaskID
	require.NotEqual(t, charge.TaskID, other)
	require.True(t, signedFor(got[0], other), "its signature is valid")
	record := s.record(t, other)
	require.Equal(t, 1, record.SuccessFlag)
	require.NotContains(t, record.ParamJSON, s.hooks.url)
	require.NotEqual(t, charge.Results[0].SHA256, sum(s.get(t, record.Response.ResultURLs[0]).body))
	require.Equal(t, 1, s.Ledger().Charges, "the other task is charged to no job")
	require.True(t, signedFor(got[1], charge.TaskID))
	require.Equal(t, kietest.Callbacks{Sent: 1, Acknowledged: 1, WrongTask: 1}, charge.Callbacks)
}
