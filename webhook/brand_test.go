package webhook_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A callback of another family is signalled without links: its record alone has them.
func TestCallbackOfAnotherFamily(t *testing.T) {
	f := newFixture(t)
	path := strings.TrimPrefix(f.minter.BrandURL("kie", namespace, "j"), "http://hooks.example.org")
	requireAnswer(t, f.do(newRequest(t, http.MethodPost, path, `{"code":200,"msg":"success","taskId":"t","data":{"result_video_url":"https://r/1.mp4"}}`)), 200, "received")
	require.Len(t, f.temporal.signals, 1)
	require.Equal(t, "t", f.temporal.signals[0].cb.TaskID)
	require.Empty(t, f.temporal.signals[0].cb.ResultURLs)
	requireAnswer(t, f.do(newRequest(t, http.MethodPost, strings.Replace(path, "/kie/", "/veo/", 1), success("t"))), 404, "not found")
	requireAnswer(t, f.do(newRequest(t, http.MethodPost, path[:len(path)-1], success("t"))), 401, "")
}
