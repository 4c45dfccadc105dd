package gallery_test

import (
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/gallery"
	"lumaflow/internal/store"
	_ "lumaflow/internal/store/bucket"
	"lumaflow/test/s3test"
	"lumaflow/test/storetest"
)

// inBucket stores a result in a bucket and opens its gallery.
func inBucket(t *testing.T, outputURL string, content string) http.Handler {
	t.Helper()
	opened, err := store.Open(t.Context(), outputURL)
	require.NoError(t, err)
	name := store.VideoName("", "a", 1, ".mp4")
	_, err = opened.PutVideo(t.Context(), name, storetest.Source(t, t.TempDir(), []byte(content)))
	require.NoError(t, err)
	_, err = opened.PutReceipt(t.Context(), store.ReceiptName("", "a"), store.Receipt{TaskID: "a", Files: []store.ReceiptFile{storetest.Listing(name, content)}})
	require.NoError(t, err)
	return open(t, opened, gallery.Options{})
}

// A store that signs no links is streamed, ranges included.
func TestBucketIsStreamed(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("0123456789", 100)
	g := inBucket(t, "mem://gallery", content)
	whole := get(g, "/media/luma_result_a_1.mp4")
	assert.Equal(t, content, whole.Body.String())
	for given, want := range map[string]string{"bytes=5-7": "567", "bytes=-3": "789", "bytes=990-": "0123456789"} {
		part := get(g, "/media/luma_result_a_1.mp4", header("Range", given))
		assert.Equal(t, http.StatusPartialContent, part.Code, given)
		assert.Equal(t, want, part.Body.String(), given)
	}
	assert.Equal(t, http.StatusRequestedRangeNotSatisfiable, get(g, "/media/luma_result_a_1.mp4", header("Range", "bytes=1000-")).Code)
	assert.Contains(t, get(g, "/").Header().Get("Content-Security-Policy"), "media-src 'self';")
}

// A player gets a short-lived link, which the policy of the pages allows; a download
// is streamed, because the link has no file name.
func TestBucketLinksAreSigned(t *testing.T) {
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "a-secret-that-must-not-show",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	} {
		t.Setenv(name, value)
	}
	server := s3test.New(t)
	g := inBucket(t, server.OutputURL("prefix=videos/"), "video")
	answer := get(g, "/media/luma_result_a_1.mp4")
	require.Equal(t, http.StatusTemporaryRedirect, answer.Code)
	link, err := url.Parse(answer.Header().Get("Location"))
	require.NoError(t, err)
	assert.Equal(t, server.URL, link.Scheme+"://"+link.Host)
	assert.Equal(t, "/"+s3test.Bucket+"/videos/luma_result_a_1.mp4", link.Path)
	assert.Equal(t, "3600", link.Query().Get("X-Amz-Expires"))
	assert.NotContains(t, link.String(), "a-secret")
	assert.Contains(t, get(g, "/").Header().Get("Content-Security-Policy"), "media-src 'self' "+server.URL+";")
	assert.Equal(t, "video", get(g, "/download/luma_result_a_1.mp4").Body.String())
	assert.Equal(t, "i", get(g, "/download/luma_result_a_1.mp4", header("Range", "bytes=1-1")).Body.String())
	assert.NotContains(t, get(g, "/").Body.String(), "X-Amz")
}
