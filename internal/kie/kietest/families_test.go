package kietest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie/kietest"
)

// Every job of every family meets the fault "record-without-echo", also one whose record
// would have no callback URL anyway: a campaign counts it.
func TestRecordWithoutEchoOfEachFamily(t *testing.T) {
	t.Parallel()
	p := start(t, kietest.Options{RateLimit: -1})
	families := []struct{ submit, record, body string }{
		{"/api/v1/modify/generate", "/api/v1/modify/record-info", `{"prompt":%q,"videoUrl":%q,"callBackUrl":%q}`},
		{"/api/v1/aleph/generate", "/api/v1/aleph/record-info", `{"prompt":%q,"videoUrl":%q,"callBackUrl":%q}`},
		{"/api/v1/jobs/createTask", "/api/v1/jobs/recordInfo", `{"model":"acme/restyle","input":{"prompt":%q,"video_urls":[%q]},"callBackUrl":%q}`},
	}
	for _, family := range families {
		for i := range 8 {
			prompt := kietest.WithFaults(fmt.Sprint(family.submit, i), kietest.RecordWithoutEcho)
			body := json.RawMessage(fmt.Sprintf(family.body, prompt, source, "http://127.0.0.1:1/cb"))
			var task struct{ TaskID string }
			require.NoError(t, json.Unmarshal(p.callAPI(t, http.MethodPost, family.submit, body).Data, &task))
			got := p.callAPI(t, http.MethodGet, family.record+"?taskId="+task.TaskID, nil)
			require.Equal(t, 200, got.Code)
			require.NotContains(t, string(got.Data), "/cb", prompt)
			require.Contains(t, p.charge(t, task.TaskID).Met, kietest.RecordWithoutEcho, prompt)
		}
	}
}
