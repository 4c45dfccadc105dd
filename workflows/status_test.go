package workflows_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdkpb "go.temporal.io/api/sdk/v1"

	"lumaflow/activities"
	"lumaflow/workflows"
)

// The Temporal UI renders current details as Markdown, which changes the hyphens of
// a command outside of code.
func TestCurrentDetailsShowCommandsAsCode(t *testing.T) {
	env := newJobEnv(t)
	env.onSubmit(env.unknown())
	var metadata sdkpb.WorkflowMetadata
	env.RegisterDelayedCallback(func() {
		answer, err := env.QueryWorkflow("__temporal_workflow_metadata")
		require.NoError(t, err)
		require.NoError(t, answer.Get(&metadata))
	}, time.Minute)
	env.run(request).failsWith(workflows.SubmitUnknown)
	require.Contains(t, metadata.CurrentDetails, "**submit-unknown** since")
	require.Contains(t, metadata.CurrentDetails, "`lumaflow resolve default-test-workflow-id --adopt TASKID, --resubmit or --write-off`")
}

// A job that is done links to the gallery of its worker, if that has one.
func TestCurrentDetailsLinkToTheGallery(t *testing.T) {
	for base, want := range map[string]string{
		"":                          "",
		"https://gallery.example/x": "\n\n[Show it in the gallery](https://gallery.example/x/compare?job=default-test-workflow-id)",
		"http://127.0.0.1:8088/":    "\n\n[Show it in the gallery](http://127.0.0.1:8088/compare?job=default-test-workflow-id)",
	} {
		env := newJobEnv(t)
		env.onSubmit(func(activities.SubmitInput) (activities.Submitted, error) {
			return activities.Submitted{TaskID: ourTask, SubmittedAt: env.Now(), Settings: activities.Settings{PollAfter: time.Minute, GalleryURL: base}}, nil
		}).onPoll().onStore()
		env.run(request).succeeds()
		var metadata sdkpb.WorkflowMetadata
		answer, err := env.QueryWorkflow("__temporal_workflow_metadata")
		require.NoError(t, err)
		require.NoError(t, answer.Get(&metadata))
		require.Contains(t, metadata.CurrentDetails, "**done** since")
		require.Equal(t, want != "", strings.Contains(metadata.CurrentDetails, "gallery"))
		require.True(t, strings.HasSuffix(metadata.CurrentDetails, want), metadata.CurrentDetails)
	}
}
