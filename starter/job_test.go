package starter_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/activities"
	"lumaflow/starter"
	"lumaflow/workflows"
)

// The ids must not change: with other ids, every job would be paid again.
func TestJobID(t *testing.T) {
	const video = "https://example.org/in.mp4"
	tests := []struct {
		name  string
		input workflows.ModifyVideoInput
		key   string
		want  string
	}{
		{"prompt and video", workflows.ModifyVideoInput{Prompt: "snow", VideoURL: video}, "", jobID},
		{"watermark and key", workflows.ModifyVideoInput{Prompt: "snow", VideoURL: video, Watermark: "brand"}, "take-2", "luma-3c64eb54bdc9d6fbf091b23aa91dbded"},
		{"other scripts", workflows.ModifyVideoInput{Prompt: "Schnee ❄", VideoURL: video}, "", "luma-6b256319ee0d434574f6c66a82f390ad"},
		{"known content", workflows.ModifyVideoInput{Prompt: "snow", VideoURL: video, VideoSHA256: strings.Repeat("5a", 32)}, "", "luma-b7767f1ec4379b069ec3d22e4d29a9ce"},
		{
			"known content at another address, with a key",
			workflows.ModifyVideoInput{Prompt: "snow", VideoURL: video + "?2", VideoSHA256: strings.Repeat("5a", 32), VideoExpires: "2026-01-01T00:00:00Z"},
			"take-2", "luma-e8c18c34b00321ed563fa89ea4c7e4f5",
		},
		{"adoption", workflows.ModifyVideoInput{TaskID: taskID}, "", "luma-6a8a4e6427df2672083b0003193331a4"},
		{"adoption with a key", workflows.ModifyVideoInput{TaskID: taskID}, "2", "luma-786f30209c7e7c5b12f18bb949c83e19"},
		{"the request is no part of an adoption's id", workflows.ModifyVideoInput{TaskID: taskID, Prompt: "snow"}, "", "luma-6a8a4e6427df2672083b0003193331a4"},
		{
			"name, windows and deadline are no part of the id",
			workflows.ModifyVideoInput{Prompt: "snow", VideoURL: video, Name: "n", Deadline: "1h", RecoveryWindow: "1m", OnUnknownSubmit: "resubmit"},
			"", jobID,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			require.Equal(t, test.want, starter.JobID(test.input, test.key))
		})
	}
}

func TestJobIDsOfDifferentRequestsDiffer(t *testing.T) {
	seen := map[string]string{}
	for name, input := range map[string]struct {
		workflows.ModifyVideoInput
		key string
	}{
		"a":                       {workflows.ModifyVideoInput{Prompt: "a", VideoURL: "b", Watermark: "c"}, "d"},
		"fields run together":     {workflows.ModifyVideoInput{Prompt: "ab", Watermark: "c"}, "d"},
		"fields change places":    {workflows.ModifyVideoInput{Prompt: "b", VideoURL: "a", Watermark: "c"}, "d"},
		"watermark becomes key":   {workflows.ModifyVideoInput{Prompt: "a", VideoURL: "b"}, "cd"},
		"no key":                  {workflows.ModifyVideoInput{Prompt: "a", VideoURL: "b", Watermark: "c"}, ""},
		"a task of the same text": {workflows.ModifyVideoInput{TaskID: "a"}, "d"},
	} {
		id := starter.JobID(input.ModifyVideoInput, input.key)
		require.Empty(t, seen[id], "%s has the id of %s", name, seen[id])
		seen[id] = name
	}
}

// Histories are read by the names of activities.
func TestActivityNames(t *testing.T) {
	for _, name := range starter.Activities {
		_, ok := reflect.TypeFor[*activities.Activities]().MethodByName(name)
		require.True(t, ok, "no activity %s", name)
	}
}
