package workflows_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"lumaflow/activities"
	"lumaflow/workflows"
)

func TestEveryVideoIsDownloaded(t *testing.T) {
	l := newLife(t)
	l.submits(l.accepted(ourTask)).stores().callback(time.Minute, ourTask)
	l.OnActivity(a.Poll, anything, anything).Return(activities.Finished{
		TaskID: ourTask, ResultURLs: []string{"https://a.example.org", "https://b.example.org", "https://c.example.org"}, Polls: 1,
	}, nil)
	result := l.run(request).succeeds()
	require.Len(t, result.Videos, 3)
	require.Equal(t, "https://c.example.org", result.Videos[2].SourceURL)
	require.False(t, result.CompletedAt.IsZero())
}

func TestDownloadThatFails(t *testing.T) {
	tests := []struct {
		name, errorType, want string
	}{
		{"rejected", activities.DownloadRejected, workflows.DownloadRejected},
		{"too late", activities.ResultOverdue, workflows.ResultOverdue},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := newLife(t)
			l.submits(l.accepted(ourTask)).callback(time.Minute, ourTask)
			l.OnActivity(a.Poll, anything, anything).Return(activities.Finished{
				TaskID: ourTask, ResultURLs: []string{"https://bad.example.org", "https://good.example.org"}, Polls: 1,
			}, nil)
			l.OnActivity(a.Download, anything, anything).Return(func(_ ctx, in activities.DownloadInput) (activities.Downloaded, error) {
				if in.Number == 1 {
					return activities.Downloaded{}, temporal.NewNonRetryableApplicationError("an HTML page", test.errorType, nil)
				}
				return downloaded(in), nil
			})
			l.run(request).failsWith(test.want, ourTask, "an HTML page", "lumaflow submit --task-id "+ourTask)
			require.Len(t, l.status().Videos, 1, "what can be saved is saved")
		})
	}
}

// A video that kie.ai has deleted can't be collected, so nobody is sent to try.
func TestDownloadOfADeletedVideo(t *testing.T) {
	l := newLife(t)
	l.submits(l.accepted(ourTask)).polls(ourTask).callback(time.Minute, ourTask)
	l.OnActivity(a.Download, anything, anything).Return(activities.Downloaded{},
		temporal.NewNonRetryableApplicationError("kie.ai keeps videos for 14 days", activities.MediaGone, nil))
	l.run(request).failsWith(workflows.ResultOverdue, ourTask, "14 days", "nothing left to collect")
	require.NotContains(t, l.status().Detail, "--task-id")
}

// Downloads are told from when kie.ai keeps the video.
func TestDownloadsKnowWhenTheTaskEnded(t *testing.T) {
	ended := time.Now().Add(-8 * 24 * time.Hour)
	created := ended.Add(-time.Hour)
	for name, want := range map[string]struct{ completed, told time.Time }{
		"the record tells":                {ended, ended},
		"only the submission is known of": {time.Time{}, created},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLife(t)
			l.OnActivity(a.Identify, anything, anything).Return(activities.Identified{TaskID: ourTask, CreatedAt: created}, nil)
			l.OnActivity(a.Poll, anything, anything).Return(activities.Finished{
				TaskID: ourTask, ResultURLs: []string{"https://a.example.org"}, CompletedAt: want.completed, Polls: 1,
			}, nil)
			var told time.Time
			l.OnActivity(a.Download, anything, anything).Return(func(_ ctx, in activities.DownloadInput) (activities.Downloaded, error) {
				told = in.EndedAt
				return downloaded(in), nil
			})
			l.OnActivity(a.WriteReceipt, anything, anything).Return(nil)
			l.run(workflows.ModifyVideoInput{TaskID: ourTask}).succeeds()
			require.True(t, told.Equal(want.told), "%s is not %s", told, want.told)
		})
	}
}

func TestReceiptThatTheStoreDoesNotTakeAtOnce(t *testing.T) {
	l := newLife(t)
	l.submits(l.accepted(ourTask)).polls(ourTask).callback(time.Minute, ourTask)
	l.OnActivity(a.Download, anything, anything).Return(func(_ ctx, in activities.DownloadInput) (activities.Downloaded, error) {
		return downloaded(in), nil
	})
	writes := 0
	var written activities.ReceiptInput
	l.OnActivity(a.WriteReceipt, anything, anything).Return(func(_ ctx, in activities.ReceiptInput) error {
		writes++
		written = in
		if writes < 4 {
			return errors.New("the store is away")
		}
		return nil
	})
	input := request
	input.Name = "reel"
	result := l.run(input).succeeds()
	require.Equal(t, 4, writes)
	require.Equal(t, ourTask, written.TaskID)
	require.Equal(t, "reel", written.Name)
	require.Equal(t, request.Prompt, written.Prompt)
	require.Equal(t, request.VideoURL, written.VideoURL)
	require.Equal(t, "callback", written.WokenBy)
	require.Equal(t, 1, written.SubmitAttempts)
	require.Equal(t, result.Videos[0], written.Files[0].Video)
}

func TestCancel(t *testing.T) {
	tests := []struct {
		name   string
		script func(*life)
		says   string
	}{
		{"while waiting", func(l *life) { l.submits(l.accepted(ourTask)) }, "lumaflow submit --task-id " + ourTask},
		{"while nobody knows", func(l *life) { l.submits(l.unknown()) }, "a task may exist"},
		{"while polling", func(l *life) {
			l.submits(l.accepted(ourTask)).callback(30*time.Second, ourTask)
			l.pollsUntil(time.Hour)
		}, ourTask},
		{"while held", func(l *life) {
			l.submits(l.fails(activities.Held, activities.Hold{Code: 402, Attempts: 1}), func(activities.SubmitInput) (activities.Submitted, error) {
				return activities.Submitted{}, temporal.NewApplicationErrorWithOptions("held", activities.Held,
					temporal.ApplicationErrorOptions{NextRetryDelay: time.Hour})
			})
		}, "nothing was submitted"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := newLife(t)
			test.script(l)
			l.RegisterDelayedCallback(l.CancelWorkflow, time.Minute)
			l.run(request)
			var canceled *temporal.CanceledError
			require.ErrorAs(t, l.GetWorkflowError(), &canceled)
			status := l.status()
			require.Equal(t, workflows.StageFailed, status.Stage)
			require.Contains(t, status.Detail, test.says)
			var details string
			require.NoError(t, canceled.Details(&details))
			require.Equal(t, status.Detail, details)
		})
	}
}

func TestSearchAttributesAreSetIfTheNamespaceHasThem(t *testing.T) {
	for _, available := range []bool{true, false} {
		l := newLife(t)
		settings := withCallbacks
		settings.SearchAttributes = available
		l.submits(func(activities.SubmitInput) (activities.Submitted, error) {
			return activities.Submitted{TaskID: ourTask, SubmittedAt: l.Now(), Attempts: 1, Settings: settings}, nil
		}).polls(ourTask).stores().callback(time.Minute, ourTask)
		var stages []string
		if available {
			l.OnUpsertTypedSearchAttributes(mock.MatchedBy(func(attributes temporal.SearchAttributes) bool {
				stage, _ := attributes.GetKeyword(temporal.NewSearchAttributeKeyKeyword(workflows.StageAttribute))
				task, _ := attributes.GetKeyword(temporal.NewSearchAttributeKeyKeyword(workflows.TaskIDAttribute))
				stages = append(stages, stage)
				return task == ourTask
			})).Return(nil)
		}
		l.run(request).succeeds()
		if available {
			require.Equal(t, []string{"waiting", "collecting", "done"}, slices.Compact(stages))
		}
	}
}

func TestInputThatIsRefused(t *testing.T) {
	tests := []struct{ name, input, says string }{
		{"nothing", `{}`, "prompt is blank"},
		{"null", `null`, "prompt is blank"},
		{"blank prompt", `{"prompt":" ","videoUrl":"https://x.example.org"}`, "prompt is blank"},
		{"blank URL", `{"prompt":"p","videoUrl":" "}`, "videoUrl is blank"},
		{"not a web address", `{"prompt":"p","videoUrl":"ftp://x.example.org"}`, "not an http or https address"},
		{"no host", `{"prompt":"p","videoUrl":"https:///x"}`, "not an http or https address"},
		{"bad window", `{"prompt":"p","videoUrl":"https://x.example.org","recoveryWindow":"soon"}`, `recoveryWindow is "soon"`},
		{"negative deadline", `{"prompt":"p","videoUrl":"https://x.example.org","deadline":"-1h"}`, `deadline is "-1h"`},
		{"deadline of the wrong type", `{"prompt":"p","videoUrl":"https://x.example.org","deadline":5}`, "malformed"},
		{"not an object", `"prompt"`, "malformed"},
		{"unknown policy", `{"prompt":"p","videoUrl":"https://x.example.org","onUnknownSubmit":"pay"}`, "onUnknownSubmit"},
		{"a hash that is none", `{"prompt":"p","videoUrl":"https://x.example.org","videoSha256":"abc"}`, "videoSha256 is not"},
		{"a hash in capitals", `{"prompt":"p","videoUrl":"https://x.example.org","videoSha256":"` + strings.Repeat("AB", 32) + `"}`, "videoSha256 is not"},
		{"a time that is none", `{"prompt":"p","videoUrl":"https://x.example.org","videoExpires":"tomorrow"}`, `videoExpires is "tomorrow"`},
		{"a time of the wrong type", `{"prompt":"p","videoUrl":"https://x.example.org","videoExpires":5}`, "malformed"},
		{"a task id with blanks", `{"taskId":" x"}`, "blanks"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := newLife(t)
			l.ExecuteWorkflow(workflows.ModifyVideoName, converter.NewRawValue(&commonPayload{
				Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: []byte(test.input),
			}))
			l.failsWith(workflows.InvalidRequest, test.says)
			_, err := workflows.ParseInput([]byte(test.input))
			require.Error(t, err)
		})
	}
}

func TestUnknownFields(t *testing.T) {
	const input = `{"prompt":"p","videoUrl":"https://x.example.org","video_url":"typo"}`
	_, err := workflows.ParseInput([]byte(input))
	require.ErrorContains(t, err, "video_url")
	_, err = workflows.ParseInput([]byte(`{"prompt":"p","videoUrl":"https://x.example.org"} {}`))
	require.Error(t, err)

	l := newLife(t)
	l.submits(l.accepted(ourTask)).polls(ourTask).stores()
	l.ExecuteWorkflow(workflows.ModifyVideoName, converter.NewRawValue(&commonPayload{
		Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: []byte(input),
	}))
	l.succeeds()
}
