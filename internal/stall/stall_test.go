package stall_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/stall"
)

const period = time.Minute

var errStalled = errors.New("stalled")

func watch(t *testing.T, test func(ctx context.Context, watchdog *stall.Watchdog)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, watchdog := stall.Watch(t.Context(), period, errStalled)
		defer watchdog.Stop()
		test(ctx, watchdog)
	})
}

func TestSilenceCancels(t *testing.T) {
	t.Parallel()
	watch(t, func(ctx context.Context, _ *stall.Watchdog) {
		begun := time.Now()
		<-ctx.Done()
		assert.Equal(t, period, time.Since(begun))
		require.ErrorIs(t, context.Cause(ctx), errStalled)
	})
}

func TestProgressRestartsThePeriod(t *testing.T) {
	t.Parallel()
	watch(t, func(ctx context.Context, watchdog *stall.Watchdog) {
		begun := time.Now()
		for range 10 {
			time.Sleep(period - time.Second)
			watchdog.Progress()
		}
		require.NoError(t, ctx.Err())
		<-ctx.Done()
		assert.Equal(t, 10*(period-time.Second)+period, time.Since(begun))
		require.ErrorIs(t, context.Cause(ctx), errStalled)
	})
}

func TestPauseSuspendsUntilProgress(t *testing.T) {
	t.Parallel()
	watch(t, func(ctx context.Context, watchdog *stall.Watchdog) {
		watchdog.Pause()
		time.Sleep(10 * period)
		require.NoError(t, ctx.Err())
		watchdog.Progress()
		time.Sleep(2 * period)
		require.ErrorIs(t, context.Cause(ctx), errStalled)
	})
}

func TestStopReleasesTheContext(t *testing.T) {
	t.Parallel()
	watch(t, func(ctx context.Context, watchdog *stall.Watchdog) {
		watchdog.Stop()
		require.Equal(t, context.Canceled, context.Cause(ctx))
		time.Sleep(2 * period)
		require.Equal(t, context.Canceled, context.Cause(ctx))
	})
}
