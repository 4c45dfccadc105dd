package histories_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"lumaflow/test/histories"
)

// The recorded histories are read beside their texts in workflows; here is what
// they don't have.
func TestTextOfRareEvents(t *testing.T) {
	start := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	history := &historypb.History{Events: []*historypb.HistoryEvent{
		{
			EventId: 1, EventTime: timestamppb.New(start), EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
			Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{
				WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{
					WorkflowType: &commonpb.WorkflowType{Name: "Modify\x1b[2JVideo\n"},
				},
			},
		},
		{
			EventId: 2, EventTime: timestamppb.New(start.Add(90 * time.Second)), EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED,
			Attributes: &historypb.HistoryEvent_WorkflowTaskFailedEventAttributes{
				WorkflowTaskFailedEventAttributes: &historypb.WorkflowTaskFailedEventAttributes{
					Cause:   enumspb.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR,
					Failure: &failurepb.Failure{Message: "parted", Cause: &failurepb.Failure{Message: "code"}},
				},
			},
		},
		{
			EventId: 3, EventTime: timestamppb.New(start.Add(2 * time.Hour)), EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
			Attributes: &historypb.HistoryEvent_WorkflowExecutionTerminatedEventAttributes{
				WorkflowExecutionTerminatedEventAttributes: &historypb.WorkflowExecutionTerminatedEventAttributes{Reason: "by mistake"},
			},
		},
	}}
	require.Equal(t, strings.Join([]string{
		"  1    +0.00s  WorkflowExecutionStarted         Modify [2JVideo",
		"  2   +90.00s  WorkflowTaskFailed               NonDeterministicError parted because of code",
		"  3 +7200.00s  WorkflowExecutionTerminated      by mistake",
		"",
	}, "\n"), histories.Text(history))
	require.Empty(t, histories.Text(nil))
}

func TestFilesAreStable(t *testing.T) {
	history := recorded(t, "woken-by-callback")
	path := filepath.Join(t.TempDir(), "again.json")
	require.NoError(t, histories.WriteFile(path, history))
	again, err := histories.ReadFile(path)
	require.NoError(t, err)
	require.True(t, proto.Equal(history, again))

	want, err := os.ReadFile(filepath.Join("..", "..", "workflows", "testdata", "histories", "woken-by-callback.json"))
	require.NoError(t, err)
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))

	require.Error(t, histories.WriteFile(filepath.Join(path, "no folder"), history))
	_, err = histories.ReadFile(filepath.Join(t.TempDir(), "none.json"))
	require.ErrorIs(t, err, os.ErrNotExist)
	broken := filepath.Join(t.TempDir(), "broken.json")
	require.NoError(t, os.WriteFile(broken, []byte("{"), 0o600))
	_, err = histories.ReadFile(broken)
	require.ErrorContains(t, err, broken)
}
