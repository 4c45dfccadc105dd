package kie_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie"
	"lumaflow/internal/kie/kietest"
)

// A task of Veo that another tool submitted is found by its id alone, and its callback
// names it; lumaflow submits none.
func TestVeoIsCollectedOnly(t *testing.T) {
	server, err := kietest.New(kietest.Options{RateLimit: -1})
	require.NoError(t, err)
	listening := httptest.NewServer(server)
	t.Cleanup(func() { listening.Close(); _ = server.Close() })
	callbacks := make(chan kie.Callback, 1)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body bytes.Buffer
		_, _ = body.ReadFrom(r.Body)
		decoded, err := kie.DecodeCallback(body.Bytes())
		assert.NoError(t, err)
		callbacks <- decoded
	}))
	t.Cleanup(hook.Close)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, listening.URL+"/api/v1/veo/generate", bytes.NewReader([]byte(`{"prompt":"a street","callBackUrl":"`+hook.URL+`"}`)))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer test-key")
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer answer.Body.Close()
	var accepted struct{ Data struct{ TaskID string } }
	require.NoError(t, json.NewDecoder(answer.Body).Decode(&accepted))

	client, err := kie.New(kie.Options{BaseURL: listening.URL, APIKey: "test-key"})
	require.NoError(t, err)
	var record kie.Record
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		record, err = client.FindRecord(t.Context(), accepted.Data.TaskID)
		assert.NoError(c, err)
		assert.Equal(c, kie.Succeeded, record.State)
	}, 10*time.Second, 10*time.Millisecond)
	assert.Equal(t, "veo", record.Model)
	assert.Len(t, record.ResultURLs, 1)
	assert.False(t, record.CreatedAt.IsZero())
	assert.Equal(t, []string{accepted.Data.TaskID}, (<-callbacks).TaskIDs)

	_, err = client.Check(t.Context(), kie.SubmitRequest{Model: "veo", Prompt: "p"}, true)
	require.ErrorContains(t, err, "only collects its tasks")
	_, err = client.Submit(t.Context(), kie.SubmitRequest{Model: "veo", Prompt: "p"})
	require.Equal(t, kie.Refused, kie.ClassOf(err))
}

func TestVeoRecords(t *testing.T) {
	extended := recordOf(t, "veo", `{"code":200,"data":{"successFlag":1,"createTime":"2026-06-06 10:25:00","response":{"resultUrls":["https://r/part.mp4"],"fullResultUrls":["https://r/whole.mp4"],"originUrls":["https://r/origin.mp4"]}}}`)
	assert.Equal(t, []string{"https://r/whole.mp4"}, extended.ResultURLs)
	failed := recordOf(t, "veo", `{"code":200,"data":{"successFlag":3,"errorCode":400,"errorMessage":"moderated"}}`)
	assert.Equal(t, kie.Failed, failed.State)
	assert.Equal(t, "400", failed.ErrorCode)
	_, err := answering(t, `{"code":422,"msg":"record result data is blank","data":null}`).Record(t.Context(), "veo", taskID)
	assert.Equal(t, kie.NotFound, kie.ClassOf(err))
}
