package historyfile_test

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

	"lumaflow/test/historyfile"
)

// The tests of package workflows compare the recorded histories with their texts;
// these events are in none of them.
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
	}, "\n"), historyfile.Text(history))
	require.Empty(t, historyfile.Text(nil))
}

func TestFilesAreStable(t *testing.T) {
	recorded := filepath.Join("..", "..", "workflows", "testdata", "histories", "woken-by-callback.json")
	history, err := historyfile.Read(recorded)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "copy.json")
	require.NoError(t, historyfile.Write(path, history))
	reread, err := historyfile.Read(path)
	require.NoError(t, err)
	require.True(t, proto.Equal(history, reread))

	want, err := os.ReadFile(recorded)
	require.NoError(t, err)
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))

	require.Error(t, historyfile.Write(filepath.Join(path, "no folder"), history))
	_, err = historyfile.Read(filepath.Join(t.TempDir(), "none.json"))
	require.ErrorIs(t, err, os.ErrNotExist)
	broken := filepath.Join(t.TempDir(), "broken.json")
	require.NoError(t, os.WriteFile(broken, []byte("{"), 0o600))
	_, err = historyfile.Read(broken)
	require.ErrorContains(t, err, broken)
}
