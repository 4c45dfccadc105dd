package activities_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lumaflow/activities"
	"lumaflow/internal/fetch"
	"lumaflow/internal/kie"
)

// The text of an unknown outcome never contradicts itself: "no usable answer" stands
// only where no answer came.
func TestSubmitUnknownTexts(t *testing.T) {
	broke := errors.New("the connection broke")
	noTask := errors.New("the answer names no task")
	tests := map[string]struct {
		err  error
		want string
	}{
		"no answer":   {&kie.Error{Class: kie.Unknown, Err: broke}, "no usable answer: the connection broke"},
		"no task":     {&kie.Error{Class: kie.Unknown, Code: 200, HTTPStatus: 200, Err: noTask, Message: "success"}, "kie.ai's answer is neither a clear acceptance nor a refusal: the answer names no task: success"},
		"a candidate": {&kie.Error{Class: kie.Unknown, Code: 500, HTTPStatus: 200, TaskID: taskID, Message: "m"}, "kie.ai's answer names task " + taskID + " and is no clear acceptance: code 500 (internal error at kie.ai): m"},
		"an error":    {&kie.Error{Class: kie.Unknown, Code: 502, HTTPStatus: 502, Err: errors.New("not in kie.ai's format")}, "kie.ai's answer is neither a clear acceptance nor a refusal: code 502 (internal error at kie.ai): not in kie.ai's format"},
		"code alone":  {&kie.Error{Op: "submit", Class: kie.Unknown, Code: 200, HTTPStatus: 200}, "kie.ai's answer is neither a clear acceptance nor a refusal: submit: the outcome is not known, code 200 (no error)"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.answerSubmissions("", test.err)
			_, err := f.submit(t, f.submitInput())
			failed := failedAs(t, err)
			require.Equal(t, activities.SubmitUnknown, failed.Type())
			require.Equal(t, test.want, failed.Message())
			require.NotContains(t, failed.Message(), "accepted")
			var evidence activities.Evidence
			require.NoError(t, failed.Details(&evidence))
			require.Equal(t, name == "a candidate", evidence.TaskID == taskID)
		})
	}
}

// A link that can't be used is named with its task, and is not a missing video.
func TestUnusableLinkTexts(t *testing.T) {
	want := "kie.ai reports success of task " + taskID + ` with a link that can't be used: "s3://bucket/…", "pending"`
	for final, memory := range map[bool]map[string]any{false: {}, true: {"emptySince": time.Unix(0, 0)}} {
		f := newFixture(t)
		f.setRecord(kie.Record{State: kie.Succeeded, UnusableLinks: []string{`"s3://bucket/…"`, `"pending"`}}, nil)
		f.SetHeartbeatDetails(memory)
		_, err := f.poll(t, activities.PollInput{TaskID: taskID, Until: f.now.Add(time.Hour)})
		failed := failedAs(t, err)
		require.Equal(t, want, failed.Message())
		require.Equal(t, final, failed.NonRetryable())
	}

	for kind, want := range map[fetch.Kind]string{
		fetch.Forbidden: "kie.ai's link to the video of task " + taskID + ` can't be used: download: the link "https://a b.example/…" is unusable`,
		fetch.Rejected:  `kie.ai's link gives no video that can be stored: download: the link "https://a b.example/…" is unusable`,
	} {
		f := newFixture(t)
		f.serveLinks(map[string]error{inputLink: &fetch.Error{Kind: kind, Err: errors.New(`the link "https://a b.example/…" is unusable`)}})
		f.SetHeartbeatDetails(activities.DownloadProgress{Rejections: 9})
		_, err := f.download(t, f.downloadInput())
		failed := failedAs(t, err)
		require.Equal(t, activities.DownloadRejected, failed.Type())
		require.Equal(t, want, failed.Message())
	}
}
