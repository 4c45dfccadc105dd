package webhook_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A callback of another family is signalled with the links of its result, which are
// fetched only in a long outage of the record. The echo of the source is none.
func TestCallbackOfAnotherFamily(t *testing.T) {
	f := newFixture(t)
	pathOf := func(job string) string {
		return strings.TrimPrefix(f.minter.BrandURL("kie", namespace, job), "http://hooks.example.org")
	}
	for i, test := range []struct {
		body string
		want []string
	}{
		{`{"code":200,"taskId":"t","data":{"result_video_url":"https://r/1.mp4","result_image_url":"https://r/1.png"}}`, []string{"https://r/1.mp4"}},
		{`{"code":200,"data":{"task_id":"t","video_url":"https://r/1.mp4","image_url":"https://r/1.png"}}`, []string{"https://r/1.mp4"}},
		{`{"code":200,"data":{"taskId":"t","videoUrl":"https://in/v.mp4"}}`, nil},
		{`{"code":200,"data":{"taskId":"t","state":"success","resultJson":"{\"resultUrls\":[\"https://r/1.mp4\"]}","param":"{\"input\":{\"video_url\":\"https://in/v.mp4\"}}"}}`, []string{"https://r/1.mp4"}},
		{`{"code":200,"data":{"taskId":"t","state":"success","resultJson":"","response":{"resultUrls":["https://r/1.mp4"]}}}`, []string{"https://r/1.mp4"}},
		{`{"code":200,"data":{"taskId":"t","state":"success","resultJson":"","param":{"input":{"video_urls":["https://in/v.mp4"]}}}}`, nil},
		{`{"code":501,"data":{"taskId":"t","state":"fail","resultJson":"{\"resultUrls\":[\"https://r/1.mp4\"]}"}}`, nil},
	} {
		requireAnswer(t, f.do(newRequest(t, http.MethodPost, pathOf(strconv.Itoa(i)), test.body)), 200, "received")
		require.Len(t, f.temporal.signals, i+1)
		require.Equal(t, "t", f.temporal.signals[i].cb.TaskID)
		require.Equal(t, test.want, f.temporal.signals[i].cb.ResultURLs, test.body)
	}
	path := pathOf("j")
	requireAnswer(t, f.do(newRequest(t, http.MethodPost, strings.Replace(path, "/kie/", "/veo/", 1), success("t"))), 404, "not found")
	requireAnswer(t, f.do(newRequest(t, http.MethodPost, path[:len(path)-1], success("t"))), 401, "")
}
