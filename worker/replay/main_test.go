package replay_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.uber.org/goleak"

	"lumaflow/test/historyfile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorded is the recorded history of a scenario of package workflows.
func recorded(t *testing.T, name string) *historypb.History {
	t.Helper()
	history, err := historyfile.Read(filepath.Join("..", "..", "workflows", "testdata", "histories", name+".json"))
	require.NoError(t, err)
	return history
}

// upTo is a history cut after a number of events.
func upTo(history *historypb.History, events int) *historypb.History {
	return &historypb.History{Events: history.GetEvents()[:events]}
}

// through is a history cut after the first event of a kind.
func through(t *testing.T, history *historypb.History, kind enumspb.EventType) *historypb.History {
	t.Helper()
	for i, event := range history.GetEvents() {
		if event.GetEventType() == kind {
			return upTo(history, i+1)
		}
	}
	require.Fail(t, "the history has no such event", kind)
	return nil
}
