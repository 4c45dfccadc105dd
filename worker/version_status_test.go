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

// told collects what the log was told since the last look.
type told struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *told) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *told) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.text.Reset()
	return l.text.String()
}

// oracle is what Temporal says about a version.
type oracle struct {
	mu    sync.Mutex
	info  client.WorkerDeploymentVersionInfo
	err   error
	asked int
}

func (o *oracle) describe(ctx context.Context) (client.WorkerDeploymentVersionDescription, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked++
	if _, bounded := ctx.Deadline(); !bounded {
		return client.WorkerDeploymentVersionDescription{}, errors.New("it may take forever")
	}
	return client.WorkerDeploymentVersionDescription{Info: o.info}, o.err
}

func (o *oracle) tells(info client.WorkerDeploymentVersionInfo, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.info, o.err = info, err
}

func (o *oracle) timesAsked() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.asked
}

func drainage(status client.WorkerDeploymentVersionDrainageStatus) client.WorkerDeploymentVersionInfo {
	return client.WorkerDeploymentVersionInfo{DrainageInfo: &client.WorkerDeploymentVersionDrainageInfo{DrainageStatus: status}}
}

func TestTheLogTellsWhichPartAVersionPlays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		temporal := &oracle{err: serviceerror.NewNotFound("no such version")}
		ctx, stop := context.WithCancel(t.Context())
		log := &told{}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			worker.FollowPart(ctx, temporal.describe, sdkworker.WorkerDeploymentVersion{DeploymentName: "lumaflow", BuildID: "v2"},
				slog.New(slog.NewTextHandler(log, nil)))
		}()
		after := func(wait time.Duration) string {
			time.Sleep(wait)
			synctest.Wait()
			return log.take()
		}
		now := time.Now()

		require.Empty(t, after(5*time.Second), "a version is known from its first poll on")
		temporal.tells(client.WorkerDeploymentVersionInfo{}, nil)
		said := after(time.Second)
		require.Contains(t, said, "level=WARN")
		require.Contains(t, said, "this version gets no new jobs: `temporal worker deployment set-current-version --deployment-name lumaflow --build-id v2`")
		require.Contains(t, said, "deployment=lumaflow buildId=v2")
		require.Empty(t, after(5*time.Minute), "it is said once")

		temporal.tells(client.WorkerDeploymentVersionInfo{RampingSinceTime: now, RampPercentage: 12.5}, nil)
		require.Contains(t, after(30*time.Second), "level=INFO msg=\"this version gets 12.5% of the new jobs\"")
		temporal.tells(client.WorkerDeploymentVersionInfo{RampingSinceTime: now, RampPercentage: 50}, nil)
		require.Contains(t, after(30*time.Second), "gets 50% of")
		current := client.WorkerDeploymentVersionInfo{CurrentSinceTime: now}
		temporal.tells(current, nil)
		require.Contains(t, after(30*time.Second), "this version gets the new jobs")

		temporal.tells(current, serviceerror.NewUnavailable("away"))
		require.Empty(t, after(30*time.Second))
		said = after(10 * time.Minute)
		require.Equal(t, 1, strings.Count(said, "\n"), "it complains once: %s", said)
		require.Contains(t, said, "Temporal does not tell whether this version gets new jobs")
		require.LessOrEqual(t, temporal.timesAsked(), 50)
		temporal.tells(current, nil)
		require.Empty(t, after(30*time.Second), "nothing has changed")

		temporal.tells(drainage(client.WorkerDeploymentVersionDrainageStatusDraining), nil)
		require.Contains(t, after(30*time.Second), "its open jobs stay with it, so leave it running")
		temporal.tells(drainage(client.WorkerDeploymentVersionDrainageStatusDrained), nil)
		require.Contains(t, after(30*time.Second), "has no open ones: it may be stopped")

		stop()
		<-ended
	})
}

func TestAVersionThatTemporalDoesNotKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		log := &told{}
		temporal := &oracle{err: serviceerror.NewNotFound("no such version")}
		worker.FollowPart(ctx, temporal.describe, sdkworker.WorkerDeploymentVersion{DeploymentName: "lumaflow", BuildID: "v2"},
			slog.New(slog.NewTextHandler(log, nil)))
		said := log.take()
		require.Equal(t, 1, strings.Count(said, "\n"), said)
		require.Contains(t, said, "level=WARN")
		require.Contains(t, said, "no such version")
		require.Less(t, temporal.timesAsked(), 150)
	})
}
