package kietest_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie/kietest"
)

func checkSiblingCallback(t *testing.T, s *scenario) {
	charge := s.callbacksDone(t, s.accepted(t, s.body))
	got := s.hooks.deliveries()
	require.Len(t, got, 1)
	require.True(t, signedFor(got[0], charge.TaskID))
	require.Contains(t, string(got[0].body), charge.TaskID)
}

func TestSiblingCallbackVariants(t *testing.T) {
	hooks := newReceiver(t)
	kie := start(t, kietest.Options{RateLimit: -1})
	const jobs = 60
	for n := range jobs {
		faults := []string{kietest.CallbackSpelling}
		if n%2 == 0 {
			faults = append(faults, kietest.GenerationFailed)
		}
		kie.accepted(t, fields{"prompt": kietest.WithFaults(strconv.Itoa(n), faults...), "videoUrl": source, "callBackUrl": hooks.url})
	}
	shapes := map[string]int{}
	codes := map[float64]int{}
	for _, delivery := range hooks.await(t, jobs) {
		var body map[string]any
		require.NoError(t, json.Unmarshal(delivery.body, &body))
		data, _ := body["data"].(map[string]any)
		var shape strings.Builder
		for _, key := range []string{"taskId", "task_id"} {
			if id, ok := body[key].(string); ok && len(id) == 32 {
				shape.WriteString("top " + key + " ")
			}
			if id, ok := data[key].(string); ok && len(id) == 32 {
				shape.WriteString("data " + key + " ")
			}
		}
		for place, list := range map[string]any{"resultUrls": data["resultUrls"], "result_urls": data["result_urls"], "info": data["info"]} {
			if list != nil {
				fmt.Fprintf(&shape, "%s %T", place, list)
			}
		}
		shapes[shape.String()]++
		codes[body["code"].(float64)]++
	}
	require.Equal(t, map[float64]int{200: jobs / 2, 501: jobs / 2}, codes)
	require.Contains(t, shapes, "top taskId ", "data is null")
	require.Contains(t, shapes, "top taskId data task_id resultUrls string")
	require.Contains(t, shapes, "data taskId info map[string]interface {}")
	require.Contains(t, shapes, "top task_id result_urls string")
	require.Contains(t, shapes, "data task_id resultUrls []interface {}")
}
