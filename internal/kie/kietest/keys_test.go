package kietest_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie/kietest"
)

// setKeys replaces keys of the account and returns the answer.
func (p *provider) setKeys(t *testing.T, change fields) string {
	t.Helper()
	status, text, err := p.call(t, http.MethodPost, "/_sim/keys", change)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status, "%s", text)
	return string(text)
}

// Keys can be replaced while tasks run. Keys that are absent from the request stay.
func TestKeysCanBeReplaced(t *testing.T) {
	hooks := newReceiver(t)
	kie := start(t, kietest.Options{APIKey: "another", HMACKey: "another", RetryAfter: time.Second})
	body := fields{"prompt": "snow [render: held]", "videoUrl": source, "callBackUrl": hooks.url}
	refused := kie.fetch(t, http.MethodPost, kie.url+"/api/v1/modify/generate", "Authorization", "Bearer key")
	require.Contains(t, string(refused.body), `"code":401`)
	require.Equal(t, "1", refused.header.Get("Retry-After"), "the refusal is temporary")

	require.JSONEq(t, `{"apiKeys":2,"signed":true}`, kie.setKeys(t, fields{"apiKeys": []string{"another", "key"}}))
	taskID := kie.accepted(t, body)
	require.JSONEq(t, `{"apiKeys":2,"signed":true}`, kie.setKeys(t, fields{"hmacKey": hmacKey}))
	kie.release(t, 1)
	kie.callbacksDone(t, taskID)
	require.True(t, signedFor(hooks.deliveries()[0], taskID), "signed with the current key")

	require.JSONEq(t, `{"apiKeys":1,"signed":false}`, kie.setKeys(t, fields{"apiKeys": []string{"another"}, "hmacKey": ""}))
	require.Equal(t, 401, kie.submit(t, body).Code)
	require.JSONEq(t, `{"apiKeys":0,"signed":false}`, kie.setKeys(t, fields{"apiKeys": []string{}}))
	kie.callbacksDone(t, kie.accepted(t, fields{"prompt": "rain", "videoUrl": source, "callBackUrl": hooks.url}))
	require.NotContains(t, hooks.deliveries()[1].header, "X-Webhook-Signature")

	status, _, err := kie.call(t, http.MethodPost, "/_sim/keys", fields{"apiKeys": "key"})
	require.NoError(t, err)
	require.Equal(t, http.StatusBadRequest, status)
}
