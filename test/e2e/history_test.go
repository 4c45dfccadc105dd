package e2e_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
)

// events reads the whole history of a job.
func (w *world) events(id string) []*historypb.HistoryEvent {
	w.t.Helper()
	var events []*historypb.HistoryEvent
	iterator := temporal.GetWorkflowHistory(w.t.Context(), id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for iterator.HasNext() {
		event, err := iterator.Next()
		require.NoError(w.t, err)
		events = append(events, event)
	}
	return events
}

// actions counts the billable actions of Temporal Cloud, except heartbeats, which
// leave no event.
func actions(events []*historypb.HistoryEvent) (count int) {
	for _, event := range events {
		switch event.EventType {
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
			enumspb.EVENT_TYPE_TIMER_STARTED,
			enumspb.EVENT_TYPE_MARKER_RECORDED,
			enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
			enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED,
			enumspb.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES:
			count++
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED:
			count += int(event.GetActivityTaskStartedEventAttributes().Attempt)
		}
	}
	return count
}

// A job without faults has few events and billable actions.
func TestHappyPathIsShort(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{env: []string{"POLL_AFTER=10m"}})
	w.start("e2e-happy", jobInput("happy"))
	result, err := w.result("e2e-happy")
	require.NoError(t, err)
	require.Equal(t, "callback", result.WokenBy)
	events := w.events("e2e-happy")
	require.LessOrEqual(t, len(events), 32)
	// The submission records its evidence by two heartbeats; a download of a few
	// seconds sends none.
	const heartbeats = 2
	require.LessOrEqual(t, actions(events)+heartbeats, 10)
	t.Logf("%d events, %d billable actions", len(events), actions(events)+heartbeats)
}

// A job that polls fifty times has no longer history than one that polls once.
func TestPollsAddNoHistory(t *testing.T) {
	t.Parallel()
	length := map[string]int{}
	for name, render := range map[string]string{"once": "10ms", "often": "110s"} {
		w := enter(t, setup{
			noCallbacks: true,
			env:         []string{"POLL_INTERVAL=100ms"},
			simulate:    []string{"--render", render},
		})
		id := "e2e-polled-" + name
		w.start(id, jobInput(name))
		_, err := w.result(id)
		require.NoError(t, err)
		length[name] = len(w.events(id))
		status, ok := w.status(id)
		require.True(t, ok)
		if name == "often" {
			require.GreaterOrEqual(t, status.Polls, 50)
		}
		t.Logf("%s: %d polls, %d events", name, status.Polls, length[name])
	}
	require.LessOrEqual(t, length["often"], length["once"]+6)
}
