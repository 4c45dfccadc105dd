package starter_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/starter"
	"lumaflow/workflows"
)

func TestTallyString(t *testing.T) {
	tests := []struct {
		tally starter.Tally
		want  string
	}{
		{starter.Tally{Total: 3, NotStarted: 3}, "0 of 3 done, 3 not started yet"},
		{starter.Tally{Total: 3, Completed: 3}, "3 of 3 done"},
		{starter.Tally{Total: 9, Completed: 1, Failed: 2, NotStarted: 1, Open: map[workflows.Stage]int{
			"": 1, workflows.StageCollecting: 1, workflows.StageHeld: 1, workflows.StageDone: 1, workflows.StageFailed: 1,
		}}, "1 of 9 done, 2 failed, 1 held, 1 collecting, 2 ending, 1 started, 1 not started yet"},
	}
	for _, test := range tests {
		require.Equal(t, test.want, test.tally.String())
	}
}
