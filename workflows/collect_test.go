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
	env := newJobEnv(t)
	env.onSubmit(env.accepted(ourTask)).onStore().sendSuccess(time.Minute, ourTask)
	env.OnActivity(a.Poll, anything, anything).Return(activities.Finished{
		TaskID: ourTask, ResultURLs: []string{"https://a.example.org", "https://b.example.org", "https://c.example.org"}, Polls: 1,
	}, nil)
	result := env.run(request).succeeds()
	require.Len(t, result.Videos, 3)
	require.Equal(t, "https://c.example.org", result.Videos[2].SourceURL)
	require.False(t, result.CompletedAt.IsZero())
}

func TestFailedDownload(t *testing.T) {
	tests := []struct {
		name, errorType, want string
	}{
		{"rejected", activities.DownloadRejected, workflows.DownloadRejected},
		{"too late", activities.ResultOverdue, workflows.ResultOverdue},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			env := newJobEnv(t)
			env.onSubmit(env.accepted(ourTask)).sendSuccess(time.Minute, ourTask)
			env.OnActivity(a.Poll, anything, anything).Return(activities.Finished{
				TaskID: ourTask, ResultURLs: []string{"https://bad.example.org", "https://good.example.org"}, Polls: 1,
			}, nil)
			env.OnActivity(a.Download, anything, anything).Return(func(_ ctx, in activities.DownloadInput) (activities.Downloaded, error) {
				if in.Number == 1 {
					return activities.Downloaded{}, temporal.NewNonRetryableApplicationError("an HTML page", test.errorType, nil)
				}
				return downloaded(in), nil
			})
			env.run(request).failsWith(test.want, ourTask, "an HTML page", "lumaflow submit --task-id "+ourTask)
			require.Len(t, env.status().Videos, 1, "the other video is stored")
		})
	}
}

// A video that kie.ai has deleted can't be collected, so the failure has no collect
// command.
func TestDownloadOfADeletedVideo(t *testing.T) {
	env := newJobEnv(t)
	env.onSubmit(env.accepted(ourTask)).onPoll().sendSuccess(time.Minute, ourTask)
	env.OnActivity(a.Download, anything, anything).Return(activities.Downloaded{},
		temporal.NewNonRetryableApplicationError("kie.ai keeps videos for 14 days", activities.MediaGone, nil))
	env.run(request).failsWith(workflows.ResultOverdue, ourTask, "14 days", "nothing left to collect")
	require.NotContains(t, env.status().Detail, "--task-id")
}

// The input of a download has the start of the time that kie.ai keeps the video.
func TestDownloadInputHasTheEndOfTheTask(t *testing.T) {
	ended := time.Now().Add(-8 * 24 * time.Hour)
	created := ended.Add(-time.Hour)
	for name, want := range map[string]struct{ completed, keptFrom time.Time }{
		"the record has the end": {ended, ended},
		"the record has no end":  {time.Time{}, created},
	} {
		t.Run(name, func(t *testing.T) {
			env := newJobEnv(t)
			env.OnActivity(a.Identify, anything, anything).Return(activities.Identified{TaskID: ourTask, CreatedAt: created}, nil)
			env.OnActivity(a.Poll, anything, anything).Return(activities.Finished{
				TaskID: ourTask, ResultURLs: []string{"https://a.example.org"}, CompletedAt: want.completed, Polls: 1,
			}, nil)
			var endedAt time.Time
			env.OnActivity(a.Download, anything, anything).Return(func(_ ctx, in activities.DownloadInput) (activities.Downloaded, error) {
				endedAt = in.EndedAt
				return downloaded(in), nil
			})
			env.OnActivity(a.WriteReceipt, anything, anything).Return(nil)
			env.run(workflows.ModifyVideoInput{TaskID: ourTask}).succeeds()
			require.WithinDuration(t, want.keptFrom, endedAt, 0)
		})
	}
}

func TestReceiptIsRetried(t *testing.T) {
	env := newJobEnv(t)
	env.onSubmit(env.accepted(ourTask)).onPoll().sendSuccess(time.Minute, ourTask)
	env.OnActivity(a.Download, anything, anything).Return(func(_ ctx, in activities.DownloadInput) (activities.Downloaded, error) {
		return downloaded(in), nil
	})
	writes := 0
	var written activities.ReceiptInput
	env.OnActivity(a.WriteReceipt, anything, anything).Return(func(_ ctx, in activities.ReceiptInput) error {
		writes++
		written = in
		if writes < 4 {
			return errors.New("the store is unavailable")
		}
		return nil
	})
	input := request
	input.Name = "reel"
	result := env.run(input).succeeds()
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
		script func(*jobEnv)
		detail string
	}{
		{"while waiting", func(env *jobEnv) { env.onSubmit(env.accepted(ourTask)) }, "lumaflow submit --task-id " + ourTask},
		{"while the outcome is unknown", func(env *jobEnv) { env.onSubmit(env.unknown()) }, "a task may exist"},
		{"while polling", func(env *jobEnv) {
			env.onSubmit(env.accepted(ourTask)).sendSuccess(30*time.Second, ourTask)
			env.onPollPendingUntil(time.Hour)
		}, ourTask},
		{"while held", func(env *jobEnv) {
			env.onSubmit(env.fails(activities.Held, activities.Hold{Code: 402, Attempts: 1}), func(activities.SubmitInput) (activities.Submitted, error) {
				return activities.Submitted{}, temporal.NewApplicationErrorWithOptions("held", activities.Held,
					temporal.ApplicationErrorOptions{NextRetryDelay: time.Hour})
			})
		}, "nothing was submitted"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			env := newJobEnv(t)
			test.script(env)
			env.RegisterDelayedCallback(env.CancelWorkflow, time.Minute)
			env.run(request)
			var canceled *temporal.CanceledError
			require.ErrorAs(t, env.GetWorkflowError(), &canceled)
			status := env.status()
			require.Equal(t, workflows.StageFailed, status.Stage)
			require.Contains(t, status.Detail, test.detail)
			var details string
			require.NoError(t, canceled.Details(&details))
			require.Equal(t, status.Detail, details)
		})
	}
}

func TestSearchAttributes(t *testing.T) {
	for _, available := range []bool{true, false} {
		env := newJobEnv(t)
		settings := withCallbacks
		settings.SearchAttributes = available
		env.onSubmit(func(activities.SubmitInput) (activities.Submitted, error) {
			return activities.Submitted{TaskID: ourTask, SubmittedAt: env.Now(), Attempts: 1, Settings: settings}, nil
		}).onPoll().onStore().sendSuccess(time.Minute, ourTask)
		var stages []string
		if available {
			env.OnUpsertTypedSearchAttributes(mock.MatchedBy(func(attributes temporal.SearchAttributes) bool {
				stage, _ := attributes.GetKeyword(temporal.NewSearchAttributeKeyKeyword(workflows.StageAttribute))
				task, _ := attributes.GetKeyword(temporal.NewSearchAttributeKeyKeyword(workflows.TaskIDAttribute))
				stages = append(stages, stage)
				return task == ourTask
			})).Return(nil)
		}
		env.run(request).succeeds()
		if available {
			require.Equal(t, []string{"waiting", "collecting", "done"}, slices.Compact(stages))
		}
	}
}

func TestInvalidInput(t *testing.T) {
	tests := []struct{ name, input, message string }{
		{"empty object", `{}`, "prompt is blank"},
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
		{"invalid hash", `{"prompt":"p","videoUrl":"https://x.example.org","videoSha256":"abc"}`, "videoSha256 is not"},
		{"hash in capitals", `{"prompt":"p","videoUrl":"https://x.example.org","videoSha256":"` + strings.Repeat("AB", 32) + `"}`, "videoSha256 is not"},
		{"invalid time", `{"prompt":"p","videoUrl":"https://x.example.org","videoExpires":"tomorrow"}`, `videoExpires is "tomorrow"`},
		{"time of the wrong type", `{"prompt":"p","videoUrl":"https://x.example.org","videoExpires":5}`, "malformed"},
		{"task id with blanks", `{"taskId":" x"}`, "blanks"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			env := newJobEnv(t)
			env.ExecuteWorkflow(workflows.ModifyVideoName, converter.NewRawValue(&commonPayload{
				Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: []byte(test.input),
			}))
			env.failsWith(workflows.InvalidRequest, test.message)
			_, err := workflows.ParseInput([]byte(test.input))
			require.Error(t, err)
		})
	}
}

func TestUnknownFields(t *testing.T) {
	for field, problem := range map[string]string{
		"video_url":                           "video_url is no field of the input: did you mean videoUrl?",
		"task_id":                             "task_id is no field of the input: did you mean taskId?",
		"promt":                               "promt is no field of the input: did you mean prompt?",
		"onUnknown":                           "onUnknown is no field of the input: use prompt, ",
		"temperature":                         "temperature is no field of the input: use prompt, videoUrl, ",
		strings.Repeat("x", 1000) + "\\u0000": strings.Repeat("x", 40) + " is no field",
	} {
		input := `{"prompt":"p","videoUrl":"https://x.example.org","` + field + `":"typo"}`
		_, err := workflows.ParseInput([]byte(input))
		require.ErrorContains(t, err, problem)

		env := newJobEnv(t)
		env.onSubmit()
		env.ExecuteWorkflow(workflows.ModifyVideoName, converter.NewRawValue(&commonPayload{
			Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: []byte(input),
		}))
		env.failsWith(workflows.InvalidRequest, problem)
		require.NotContains(t, env.GetWorkflowError().Error(), "?.")
	}
	_, err := workflows.ParseInput([]byte(`{"prompt":"p","videoUrl":"https://x.example.org"} {}`))
	require.Error(t, err)
}
