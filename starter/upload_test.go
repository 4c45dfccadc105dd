package starter_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"lumaflow/starter"
	"lumaflow/test/startertest"
	"lumaflow/workflows"
)

// local is a request with the content of a video but no address, localID its job.
var local = workflows.ModifyVideoInput{Prompt: "snow", VideoSHA256: strings.Repeat("5a", 32)}

const (
	localID  = "luma-b7767f1ec4379b069ec3d22e4d29a9ce"
	uploaded = "https://tempfile.redpandaai.co/in.mp4"
)

var expires = time.Date(2026, 11, 26, 8, 30, 0, 0, time.UTC)

// uploader returns an upload that calls during, and counts its calls.
func uploader(during func()) (upload starter.Upload, count *int) {
	count = new(int)
	return func(context.Context) (string, time.Time, error) {
		*count++
		if during != nil {
			during()
		}
		return uploaded, expires.In(time.FixedZone("", 3600)), nil
	}, count
}

func TestUploadingStartsAJob(t *testing.T) {
	fake := startertest.New(t)
	upload, uploads := uploader(nil)
	job, err := starter.New(fake, starter.Options{}).Uploading(upload).Submit(t.Context(), local, "")
	require.NoError(t, err)
	require.Equal(t, starter.Job{Report: starter.Report{WorkflowID: localID, RunID: "new-run-1", State: starter.StateRunning}}, job)
	require.Equal(t, 1, *uploads)
	want := local
	want.VideoURL, want.VideoExpires = uploaded, "2026-11-26T08:30:00Z"
	require.Equal(t, []workflows.ModifyVideoInput{want}, fake.Inputs)
}

// Nothing is uploaded for a job that is not to be started.
func TestUploadsThatAreNotNeeded(t *testing.T) {
	there := local
	there.VideoURL, there.VideoExpires = "https://tempfile.redpandaai.co/earlier.mp4", "2026-01-01T00:00:00Z"
	other := there
	other.VideoSHA256 = strings.Repeat("5b", 32)
	tests := []struct {
		name  string
		id    string
		input workflows.ModifyVideoInput
		job   func(*startertest.Temporal)
		err   string
	}{
		{"under way", "", local, func(f *startertest.Temporal) { f.Job(localID) }, ""},
		{"done", "", local, func(f *startertest.Temporal) { f.Job(localID).End(statusCompleted, time.Minute) }, ""},
		{"under way under a chosen id", "shot-7", local, func(f *startertest.Temporal) { f.Job("shot-7").History = startertest.NewHistory(t, there) }, ""},
		{"another content under that id", "shot-7", local, func(f *startertest.Temporal) { f.Job("shot-7").History = startertest.NewHistory(t, other) }, "exists with another request"},
		{"an address under that id", "shot-7", local, func(f *startertest.Temporal) { f.Job("shot-7") }, "exists with another request"},
		{"paid already", "", local, func(f *startertest.Temporal) {
			f.Job(localID).End(statusFailed, time.Minute).History.EndFailed(startertest.ApplicationError("SubmitUnknown", "lost"))
		}, "may have paid for a task"},
		{"an invalid request", "", workflows.ModifyVideoInput{Prompt: " ", VideoSHA256: local.VideoSHA256}, func(*startertest.Temporal) {}, "prompt is blank"},
		{"Temporal is down", "", local, func(f *startertest.Temporal) { f.Down = serviceerror.NewUnavailable("refused") }, "does not answer"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fake := startertest.New(t)
			test.job(fake)
			upload, uploads := uploader(nil)
			s := starter.New(fake, starter.Options{}).Uploading(upload)
			var job starter.Job
			var err error
			if test.id != "" {
				job, err = s.SubmitAs(t.Context(), test.id, test.input)
			} else {
				job, err = s.Submit(t.Context(), test.input, "")
			}
			require.Zero(t, *uploads)
			require.Empty(t, fake.Starts)
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				return
			}
			require.NoError(t, err)
			require.True(t, job.Existing)
		})
	}
}

// A run that failed unpaid is followed by another, with an upload of its own.
func TestUploadingAgain(t *testing.T) {
	fake := startertest.New(t)
	fake.Job(localID).End(statusFailed, time.Minute).History.EndFailed(startertest.ApplicationError("SubmitRefused", "the uploaded video expired"))
	upload, uploads := uploader(nil)
	job, err := starter.New(fake, starter.Options{}).Uploading(upload).Submit(t.Context(), local, "")
	require.NoError(t, err)
	require.True(t, job.Again)
	require.Equal(t, 1, *uploads)
	require.Equal(t, uploaded, fake.Inputs[0].VideoURL)
}

// Other clients may start the same job during an upload.
func TestStartByOthersDuringUpload(t *testing.T) {
	tests := []struct {
		name string
		job  func(*startertest.Temporal)
		err  string
	}{
		{"another client starts the job", func(f *startertest.Temporal) { f.Job(localID) }, ""},
		{"another client's job completes", func(f *startertest.Temporal) { f.Job(localID).End(statusCompleted, time.Minute) }, ""},
		{"another client pays and fails", func(f *startertest.Temporal) {
			f.Job(localID).End(statusFailed, time.Minute).History.EndFailed(startertest.ApplicationError("ResultOverdue", "late"))
		}, "is not submitted again"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fake := startertest.New(t)
			upload, uploads := uploader(func() { test.job(fake) })
			job, err := starter.New(fake, starter.Options{}).Uploading(upload).Submit(t.Context(), local, "")
			require.Equal(t, 1, *uploads)
			require.Empty(t, fake.Starts)
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				return
			}
			require.NoError(t, err)
			require.True(t, job.Existing)
		})
	}
}

func TestUploadThatFails(t *testing.T) {
	fake := startertest.New(t)
	broken := errors.New("the upload broke")
	_, err := starter.New(fake, starter.Options{}).Uploading(func(context.Context) (string, time.Time, error) {
		return "", time.Time{}, broken
	}).Submit(t.Context(), local, "")
	require.ErrorIs(t, err, broken)
	require.Empty(t, fake.Starts)
}
