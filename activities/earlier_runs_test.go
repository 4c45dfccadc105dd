package activities_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
	"lumaflow/internal/paid/runs"
)

// An attempt that ends before all runs are read leaves its progress, and the next one
// continues from it.
func TestEarlierRunsContinue(t *testing.T) {
	half := runs.Progress{Read: []string{"1", "2"}, Links: []string{"3"}}
	tests := []struct {
		name string
		// end ends the first attempt after it has read a half.
		end func(ctx context.Context) error
		// want is the pause before the next attempt.
		want time.Duration
	}{
		{"Temporal is unavailable", func(context.Context) error { return errors.New("unavailable") }, 0},
		{"the time of the attempt is over", func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}, time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, last := newFixture(t), runs.Progress{}
				f.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) { _ = details.Get(&last) })
				f.ledger.readEarlier = func(ctx context.Context, from runs.Progress, keep func(runs.Progress)) (runs.Earlier, error) {
					require.Empty(t, from)
					ends, _ := ctx.Deadline()
					require.Equal(t, 10*time.Second, activity.GetInfo(ctx).Deadline.Sub(ends))
					keep(half)
					return runs.Earlier{}, test.end(ctx)
				}
				_, err := f.ExecuteActivity(f.register(t).EarlierRuns)
				failure := failedAs(t, err)
				require.False(t, failure.NonRetryable())
				require.Equal(t, test.want, failure.NextRetryDelay())
				require.Equal(t, half, last)

				next := newFixture(t)
				next.SetHeartbeatDetails(last)
				next.ledger.readEarlier = func(_ context.Context, from runs.Progress, _ func(runs.Progress)) (runs.Earlier, error) {
					require.Equal(t, half, from)
					return runs.Earlier{Runs: 3}, nil
				}
				value, err := next.ExecuteActivity(next.register(t).EarlierRuns)
				require.NoError(t, err)
				var earlier activities.Earlier
				require.NoError(t, value.Get(&earlier))
				require.Equal(t, 3, earlier.Runs)
				require.True(t, earlier.Settings.Facts)
			})
		})
	}
}

// A run timeout may leave an attempt less time than the margin: half of it is for
// reading.
func TestEarlierRunsOfAShortAttempt(t *testing.T) {
	for left, reading := range map[time.Duration]time.Duration{4 * time.Second: 2 * time.Second, 20 * time.Second: 10 * time.Second, time.Minute: 50 * time.Second} {
		t.Run(left.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t)
				f.ledger.readEarlier = func(ctx context.Context, _ runs.Progress, _ func(runs.Progress)) (runs.Earlier, error) {
					ends, _ := ctx.Deadline()
					assert.Equal(t, reading, time.Until(ends))
					return runs.Earlier{Runs: 1}, nil
				}
				acts, err := activities.New(f.options)
				require.NoError(t, err)
				var suite testsuite.WorkflowTestSuite
				env := suite.NewTestWorkflowEnvironment()
				env.RegisterActivity(acts)
				env.ExecuteWorkflow(func(ctx workflow.Context) error {
					ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: left, RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 1}})
					return workflow.ExecuteActivity(ctx, acts.EarlierRuns).Get(ctx, nil)
				})
				require.NoError(t, env.GetWorkflowError())
			})
		})
	}
}
