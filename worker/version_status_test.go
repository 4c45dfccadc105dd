package worker_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	sdkworker "go.temporal.io/sdk/worker"

	"lumaflow/worker"
)

// logBuffer collects log lines. It is safe for concurrent use.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logBuffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(line)
}

// take returns the lines since the last call.
func (b *logBuffer) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.text.Reset()
	return b.text.String()
}

// describer is a scripted description of a version.
type describer struct {
	mu    sync.Mutex
	info  client.WorkerDeploymentVersionInfo
	err   error
	calls int
}

func (d *describer) describe(ctx context.Context) (client.WorkerDeploymentVersionDescription, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls++
	if _, bounded := ctx.Deadline(); !bounded {
		return client.WorkerDeploymentVersionDescription{}, errors.New("the request has no deadline")
	}
	return client.WorkerDeploymentVersionDescription{Info: d.info}, d.err
}

func (d *describer) set(info client.WorkerDeploymentVersionInfo, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.info, d.err = info, err
}

func (d *describer) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.calls
}

func drainage(status client.WorkerDeploymentVersionDrainageStatus) client.WorkerDeploymentVersionInfo {
	return client.WorkerDeploymentVersionInfo{DrainageInfo: &client.WorkerDeploymentVersionDrainageInfo{DrainageStatus: status}}
}

func TestVersionStatusIsLoggedOnChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		temporal := &describer{err: serviceerror.NewNotFound("no such version")}
		ctx, stop := context.WithCancel(t.Context())
		log := &logBuffer{}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			worker.LogVersionStatus(ctx, temporal.describe, sdkworker.WorkerDeploymentVersion{DeploymentName: "lumaflow", BuildID: "v2"},
				slog.New(slog.NewTextHandler(log, nil)))
		}()
		after := func(wait time.Duration) string {
			time.Sleep(wait)
			synctest.Wait()
			return log.take()
		}
		now := time.Now()

		require.Empty(t, after(5*time.Second), "Temporal creates a version when its first poll arrives")
		temporal.set(client.WorkerDeploymentVersionInfo{}, nil)
		lines := after(time.Second)
		require.Contains(t, lines, "level=WARN")
		require.Contains(t, lines, "this version gets no new jobs: `temporal worker deployment set-current-version --deployment-name lumaflow --build-id v2`")
		require.Contains(t, lines, "deployment=lumaflow buildId=v2")
		require.Empty(t, after(5*time.Minute), "an unchanged status is logged once")

		temporal.set(client.WorkerDeploymentVersionInfo{RampingSinceTime: now, RampPercentage: 12.5}, nil)
		require.Contains(t, after(30*time.Second), "level=INFO msg=\"this version gets 12.5% of the new jobs\"")
		temporal.set(client.WorkerDeploymentVersionInfo{RampingSinceTime: now, RampPercentage: 50}, nil)
		require.Contains(t, after(30*time.Second), "gets 50% of")
		current := client.WorkerDeploymentVersionInfo{CurrentSinceTime: now}
		temporal.set(current, nil)
		require.Contains(t, after(30*time.Second), "this version gets the new jobs")

		temporal.set(current, serviceerror.NewUnavailable("unavailable"))
		require.Empty(t, after(30*time.Second))
		lines = after(10 * time.Minute)
		require.Equal(t, 1, strings.Count(lines, "\n"), "one warning for all failures in a row: %s", lines)
		require.Contains(t, lines, "Temporal does not report whether this version gets new jobs")
		require.LessOrEqual(t, temporal.count(), 50)
		temporal.set(current, nil)
		require.Empty(t, after(30*time.Second), "the status has not changed")

		temporal.set(drainage(client.WorkerDeploymentVersionDrainageStatusDraining), nil)
		require.Contains(t, after(30*time.Second), "its open jobs stay with it, so leave it running")
		temporal.set(drainage(client.WorkerDeploymentVersionDrainageStatusDrained), nil)
		require.Contains(t, after(30*time.Second), "has no open ones: it may be stopped")

		stop()
		<-ended
	})
}

func TestUnknownVersionIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		log := &logBuffer{}
		temporal := &describer{err: serviceerror.NewNotFound("no such version")}
		worker.LogVersionStatus(ctx, temporal.describe, sdkworker.WorkerDeploymentVersion{DeploymentName: "lumaflow", BuildID: "v2"},
			slog.New(slog.NewTextHandler(log, nil)))
		lines := log.take()
		require.Equal(t, 1, strings.Count(lines, "\n"), lines)
		require.Contains(t, lines, "level=WARN")
		require.Contains(t, lines, "no such version")
		require.Less(t, temporal.count(), 150)
	})
}
