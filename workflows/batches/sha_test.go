package batches_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"lumaflow/activities"
	"lumaflow/workflows/batches"
)

// The hash of an input is that which its manifest must have, and blank lines are kept.
func TestHashOfTheInput(t *testing.T) {
	var suite testsuite.WorkflowTestSuite
	s := suite.NewTestWorkflowEnvironment()
	batches.Register(s)
	var checked activities.ManifestInput
	s.OnActivity(b.CheckManifest, mock.Anything, mock.Anything).Return(func(_ context.Context, input activities.ManifestInput) (activities.CheckedManifest, error) {
		checked = input
		return activities.CheckedManifest{}, temporal.NewNonRetryableApplicationError("the manifest has changed", batches.ManifestChanged, nil)
	})
	s.ExecuteWorkflow(batches.ModifyVideos, batches.Input{Items: []json.RawMessage{json.RawMessage("null"), json.RawMessage(`{"taskId":"t"}`)}, SHA256: "abc"})
	var failed *temporal.ApplicationError
	require.ErrorAs(t, s.GetWorkflowError(), &failed)
	require.Equal(t, batches.ManifestChanged, failed.Type())
	require.Equal(t, "abc", checked.Batch.SHA256)
	lines := strings.Split(string(checked.Items), "\n")
	require.Equal(t, []string{"", `{"taskId":"t"}`, ""}, lines)
}
