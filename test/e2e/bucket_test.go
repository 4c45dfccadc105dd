package e2e_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie/kietest"
	"lumaflow/internal/store"
	"lumaflow/test/s3test"
	"lumaflow/workflows"
)

// inBucket is the environment of workers with a bucket as their output.
func inBucket(server *s3test.Server) []string {
	return []string{
		"OUTPUT_URL=" + server.OutputURL("prefix=videos/"),
		"AWS_ACCESS_KEY_ID=key",
		"AWS_SECRET_ACCESS_KEY=" + bucketSecret,
		"AWS_EC2_METADATA_DISABLED=true",
	}
}

const bucketSecret = "a-bucket-secret-that-must-stay-secret"

// verifiedInBucket requires that a bucket holds the charged video, its receipt and
// nothing else.
func (w *world) verifiedInBucket(server *s3test.Server, result workflows.ModifyVideoResult, charge kietest.Charge) {
	w.t.Helper()
	require.Equal(w.t, charge.TaskID, result.TaskID)
	require.Len(w.t, result.Videos, 1)
	video, paid := result.Videos[0], charge.Results[0]
	key := fmt.Sprintf("videos/luma_result_%s_1.mp4", charge.TaskID)
	require.Equal(w.t, "s3://"+s3test.Bucket+"/"+key, video.Location)
	require.Equal(w.t, paid.SHA256, video.SHA256)
	require.Equal(w.t, paid.Bytes, video.Bytes)

	stored := server.Objects()
	receiptKey := "videos/luma_result_" + charge.TaskID + ".json"
	require.ElementsMatch(w.t, []string{key, receiptKey}, slices.Collect(maps.Keys(stored)))
	sum := sha256.Sum256([]byte(stored[key]))
	require.Equal(w.t, paid.SHA256, hex.EncodeToString(sum[:]), "the stored bytes equal the served ones")
	var receipt store.Receipt
	require.NoError(w.t, json.Unmarshal([]byte(stored[receiptKey]), &receipt))
	require.Equal(w.t, charge.TaskID, receipt.TaskID)
	require.Equal(w.t, video.Location, receipt.Files[0].Location)
	require.Equal(w.t, paid.SHA256, receipt.Files[0].SHA256)
	server.NoMultipartUploads()
	require.NotContains(w.t, w.worker.output(), bucketSecret)
}

// upload is the first upload of a video, which stops in the middle until resume is
// called.
type upload struct {
	reached, ended chan struct{}
	resume         func()
}

func halfway(t *testing.T, server *s3test.Server) upload {
	wait := make(chan struct{})
	first := upload{make(chan struct{}), make(chan struct{}), sync.OnceFunc(func() { close(wait) })}
	t.Cleanup(first.resume)
	var begun atomic.Bool
	server.InterceptPuts(func(w http.ResponseWriter, r *http.Request) (answered bool) {
		if !strings.Contains(r.URL.Path, ".mp4") || !begun.CompareAndSwap(false, true) {
			return false
		}
		defer close(first.ended)
		half := make([]byte, r.ContentLength/2)
		if _, err := io.ReadFull(r.Body, half); err == nil {
			close(first.reached)
		}
		<-wait
		r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(half), r.Body))
		server.Serve(w, r)
		return true
	})
	return first
}

// The worker dies in the middle of an upload. A worker with another work folder
// completes the job.
func TestWorkerKilledDuringUpload(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	first := halfway(t, server)
	w := enter(t, setup{env: inBucket(server)})
	prompt := "die [size: 40MB]"
	w.start("e2e-die-uploading", jobInput(prompt))
	<-first.reached
	w.worker.kill()
	first.resume()
	<-first.ended
	require.Empty(t, server.Objects(), "nothing is to be seen of the video")
	w.env = append(w.env, "WORK_DIR="+t.TempDir())
	w.startWorker()
	result, err := w.result("e2e-die-uploading")
	require.NoError(t, err)
	w.verifiedInBucket(server, result, w.charge(prompt))

	shown := w.run("status", "e2e-die-uploading")
	require.Zero(t, shown.code, shown.err)
	require.Contains(t, shown.out, result.Videos[0].Location)
	healthy := w.run("audit")
	require.Zero(t, healthy.code, healthy.err)
	require.Contains(t, healthy.out, "audited 1 receipt and 1 file")
	name := path.Base(result.Videos[0].Location)
	server.PutObject("videos/"+name, "damaged")
	damaged := w.run("audit", "--json")
	require.Equal(t, 1, damaged.code)
	require.Contains(t, damaged.out, name)
}

// A bucket that denies writes for some time only delays the job.
func TestBucketDeniesWrites(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	w := enter(t, setup{env: inBucket(server)})
	refused := make(chan struct{}, 100)
	server.InterceptPuts(func(w http.ResponseWriter, _ *http.Request) bool {
		s3test.WriteError(w, http.StatusForbidden, "AccessDenied")
		refused <- struct{}{}
		return true
	})
	prompt := "refused"
	w.start("e2e-bucket-refuses", jobInput(prompt))
	<-refused
	w.until("the status shows the reason", func() bool {
		return strings.Contains(w.run("status", "e2e-bucket-refuses").out, "AccessDenied")
	})
	server.Intercept(nil)
	result, err := w.result("e2e-bucket-refuses")
	require.NoError(t, err)
	w.verifiedInBucket(server, result, w.charge(prompt))
}

func TestDemoInABucket(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	env := append(os.Environ(), inBucket(server)...)
	shown := execute(t, append(env, "TEMPORAL_CLI="+cli), binary, "demo")
	require.Zero(t, shown.code, shown.err)
	require.Contains(t, shown.out, "5 jobs, 5 charges, 5 verified files.")
	require.Contains(t, shown.out, "s3://films/videos/")
	require.Len(t, server.Objects(), 15, "five videos with their sources and receipts")
}

// A worker does not start with an unusable bucket.
func TestWorkerRefusesABadBucket(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	readOnly := s3test.New(t)
	readOnly.InterceptPuts(func(w http.ResponseWriter, _ *http.Request) bool {
		s3test.WriteError(w, http.StatusForbidden, "AccessDenied")
		return true
	})
	nowhere := strings.Replace(server.OutputURL(), s3test.Bucket, "nowhere", 1)
	tests := []struct {
		outputURL string
		env       []string
		code      int
		message   string
	}{
		{nowhere, nil, 1, "there is no bucket s3://nowhere"},
		{readOnly.OutputURL(), nil, 1, "may not list, read and write s3://films (AccessDenied"},
		{server.OutputURL(), []string{"AWS_ACCESS_KEY_ID="}, 1, "no credentials for s3://films"},
		{server.OutputURL("colour=red"), nil, 2, `unknown query parameter "colour"`},
		{server.OutputURL("prefix=videos"), nil, 2, "ends with a slash"},
		{"s3://films/videos", nil, 2, "?prefix=videos/"},
		{"azblob://films", nil, 2, "AZURE_STORAGE_ACCOUNT"},
		{"azblob://films?storage_account=studio", []string{"AZURE_TOKEN_CREDENTIALS=EnvironmentCredential"}, 1, "no credentials for Azure"},
		{
			"azblob://films",
			[]string{"AZURE_STORAGE_ACCOUNT=studio", "AZURE_STORAGE_PROTOCOL=http", "AZURE_STORAGE_DOMAIN=127.0.0.1:1", "AZURE_STORAGE_SAS_TOKEN=sig=" + bucketSecret},
			1, "azblob://films can't be reached (no answer from 127.0.0.1:1: ",
		},
	}
	for _, test := range tests {
		t.Run(test.outputURL, func(t *testing.T) {
			t.Parallel()
			env := slices.Concat(os.Environ(), inBucket(server), []string{
				"KIE_API_KEY=" + apiKey, "WORK_DIR=" + t.TempDir(), "OUTPUT_URL=" + test.outputURL,
				"AWS_CONFIG_FILE=/nowhere", "AWS_SHARED_CREDENTIALS_FILE=/nowhere",
			}, test.env)
			refused := execute(t, env, binary, "worker")
			require.Equal(t, test.code, refused.code, refused.err)
			require.Contains(t, refused.err, "lumaflow: OUTPUT_URL: ")
			require.Contains(t, refused.err, test.message)
			require.Equal(t, 1, strings.Count(refused.err, "\n"), refused.err)
			require.NotContains(t, refused.err, bucketSecret)
		})
	}
}

// The memory of a worker does not grow with the size of the video that it
// uploads, and the work folder holds the one copy there is.
func TestLargeUploadTakesLittleMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("anonymous memory is read from Linux's /proc")
	}
	t.Parallel()
	server := s3test.New(t)
	first := halfway(t, server)
	w := enter(t, setup{env: inBucket(server)})
	prompt := "large [size: 200MB]"
	peakMemory := w.worker.watchMemory()
	w.start("e2e-large-upload", jobInput(prompt))
	<-first.reached
	require.Less(t, w.downloaded(), int64(201<<20), "one copy on disk")
	require.Empty(t, files(t, w.output))
	first.resume()
	result, err := w.result("e2e-large-upload")
	require.NoError(t, err)
	w.verifiedInBucket(server, result, w.charge(prompt))
	peak := peakMemory()
	t.Logf("200 MB uploaded, the worker's peak is %d MB of anonymous memory", peak>>20)
	require.Less(t, peak, int64(40<<20))
}

func files(t *testing.T, folder string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(folder, "*"))
	require.NoError(t, err)
	return found
}
