package batches_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"

	"lumaflow/workflows/batches"
)

// The batch's own activities and timers are shared by its open jobs: in the default
// window they are less than one billable action a job, beside the two of its start and
// its report. A sweep every 45 s costs the same for a small window as for a large one.
func TestSharedActions(t *testing.T) {
	for _, test := range []struct {
		jobs, window int
		most         float64
	}{{500, 100, 0.5}, {100, 10, 3}, {20, 2, 14}} {
		t.Run(fmt.Sprintf("%d open", test.window), func(t *testing.T) {
			s := newShop(t, test.jobs)
			actions := 0
			s.SetOnActivityStartedListener(func(*activity.Info, context.Context, converter.EncodedValues) { actions++ })
			s.SetOnTimerScheduledListener(func(_ string, duration time.Duration) {
				// The others are those of the jobs.
				if duration != render {
					actions++
				}
			})
			_, err := s.run(batches.Input{Concurrency: test.window})
			require.NoError(t, err)
			shared := float64(actions) / float64(test.jobs)
			t.Logf("%.2f billable actions a job", shared)
			require.Greater(t, actions, 3)
			require.LessOrEqual(t, shared, test.most)
		})
	}
}
