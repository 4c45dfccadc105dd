package paid_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/paid"
)

// The memo is written only if the facts have changed.
func TestFactsThatDiffer(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	require.True(t, paid.Facts{SubmittedAt: noon}.Equal(paid.Facts{SubmittedAt: noon.In(time.FixedZone("", 3600))}))
	for name, facts := range map[string]paid.Facts{
		"task":       {TaskID: "t"},
		"open":       {PaidOpen: true},
		"model":      {Model: "m"},
		"others":     {OtherTasks: []string{"u"}},
		"unresolved": {Unresolved: true},
		"next":       {Next: "lumaflow list"},
		"given up":   {WrittenOff: true},
		"submitted":  {SubmittedAt: noon},
		"ended":      {EndedAt: noon},
	} {
		require.False(t, facts.Equal(paid.Facts{}), name)
	}
}

func TestUnknown(t *testing.T) {
	t.Parallel()
	require.True(t, paid.Facts{PaidOpen: true}.Unknown())
	require.True(t, paid.Facts{TaskID: "t", PaidOpen: true, Unresolved: true}.Unknown())
	require.False(t, paid.Facts{TaskID: "t", PaidOpen: true}.Unknown())
	require.False(t, paid.Facts{}.Unknown())
}

func TestCollectCommand(t *testing.T) {
	t.Parallel()
	require.Equal(t, "lumaflow submit --task-id t", paid.CollectCommand("t"))
	require.Equal(t, "lumaflow submit --task-id TASKID", paid.CollectCommand(""))
}
