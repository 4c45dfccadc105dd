package runs_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"lumaflow/internal/paid"
	"lumaflow/test/historyfile"
)

const recorded = "../../../workflows/testdata/histories"

// summary is the payments in one line.
func summary(facts paid.Facts) string {
	var parts []string
	add := func(set bool, part string) {
		if set {
			parts = append(parts, part)
		}
	}
	add(facts.PaidOpen, "open")
	add(facts.TaskID != "", facts.TaskID)
	add(len(facts.OtherTasks) > 0, "others "+strings.Join(facts.OtherTasks, ","))
	add(facts.Unresolved, "unresolved")
	add(!facts.SubmittedAt.IsZero(), "submitted")
	add(!facts.EndedAt.IsZero(), "ended")
	return strings.Join(parts, " ")
}

func statusOf(events []*historypb.HistoryEvent) enumspb.WorkflowExecutionStatus {
	switch last := events[len(events)-1]; {
	case last.GetWorkflowExecutionCompletedEventAttributes() != nil:
		return enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
	case last.GetWorkflowExecutionFailedEventAttributes() != nil:
		return enumspb.WORKFLOW_EXECUTION_STATUS_FAILED
	case last.GetWorkflowExecutionCanceledEventAttributes() != nil:
		return enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED
	default:
		return enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED
	}
}

const recordedTask = "0123456789abcdef0123456789abcdef"

// The payments of recorded runs that ended without their video.
var recordedPayments = map[string]string{
	"cancelled-while-downloading":    "open " + recordedTask + " submitted ended",
	"cancelled-while-held":           "",
	"cancelled-while-lost":           "open submitted",
	"cancelled-while-polling":        "open " + recordedTask + " submitted",
	"cancelled-while-submitting":     "open " + recordedTask + " submitted",
	"cancelled-while-waiting":        "open " + recordedTask + " submitted",
	"download-rejected":              "open " + recordedTask + " submitted ended",
	"generation-failed":              recordedTask + " submitted",
	"invalid-request":                "",
	"lost-response-foreign-callback": "open submitted",
	"lost-response-window-ended":     "open submitted",
	"malformed-request":              "",
	"operator-writes-off":            "open submitted",
	"refused":                        "",
	"result-overdue":                 "open " + recordedTask + " submitted",
	"unknown-task":                   "fedcba9876543210fedcba9876543210",
	"uploaded-video-expired":         "",

	"before-hear-each-word.late-evidence-behind-that-of-others": "open " + recordedTask + " submitted",
}

// The payments of recorded runs come from their end or, for runs of lumaflow v0.1,
// from their history. A history has no less open than the end.
func TestRecordedRuns(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob(recorded + "/*.json")
	require.NoError(t, err)
	seen := 0
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		history, err := historyfile.Read(path)
		require.NoError(t, err)
		events := history.GetEvents()
		s := newServer()
		run, err := s.reader().Run(t.Context(), s.add("job", "run", 0, statusOf(events), events...).info)
		require.NoError(t, err, name)
		if want, ok := recordedPayments[name]; ok {
			require.Equal(t, want, summary(run.Facts), name)
			seen++
		}
		whole, err := s.reader().History(t.Context(), "job", "run")
		require.NoError(t, err, name)
		switch {
		case statusOf(events) == enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:
			require.Equal(t, paid.Facts{TaskID: run.Facts.TaskID}, run.Facts, name)
			require.Zero(t, s.histories-1, "a completed run needs no history: %s", name)
			require.True(t, whole.Facts().Names(run.Facts.TaskID), name)
		case run.Facts.PaidOpen:
			require.True(t, whole.Facts().PaidOpen, name)
		}
	}
	require.Len(t, recordedPayments, seen, "all of them are recorded")
}

// A run that is terminated anywhere after it began to wait has its task on record.
func TestRecordedRunsCutOff(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob(recorded + "/*.json")
	require.NoError(t, err)
	for _, path := range paths {
		history, err := historyfile.Read(path)
		require.NoError(t, err)
		for end := range history.GetEvents() {
			s := newServer()
			info := s.add("job", "run", 0, enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, history.GetEvents()[:end+1]...).info
			run, err := s.reader().Run(t.Context(), info)
			require.NoError(t, err)
			if polled(history.GetEvents()[:end+1]) {
				require.True(t, run.Facts.PaidOpen || run.Facts.TaskID != "", "%s, event %d", path, end+1)
			}
		}
	}
}

// polled reports whether a run has begun to wait for a task of its own.
func polled(events []*historypb.HistoryEvent) bool {
	for _, event := range events {
		if event.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName() == "Poll" {
			return true
		}
	}
	return false
}
