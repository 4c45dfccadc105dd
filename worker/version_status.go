package worker

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
)

const (
	// statusInterval separates two descriptions of the version. Until the first
	// one succeeds it is firstStatusInterval: Temporal creates a version when its
	// first poll arrives.
	statusInterval      = 30 * time.Second
	firstStatusInterval = time.Second
	statusTimeout       = 5 * time.Second
	// statusFailures is the number of failures in a row that cause a warning.
	statusFailures = 15
)

// describeVersion returns the description of one version.
type describeVersion func(context.Context) (client.WorkerDeploymentVersionDescription, error)

// logVersionStatus logs whether the version gets new jobs, at the start and on
// each change, until ctx ends. That is an operator's decision, and a worker shows
// no other sign of it.
func logVersionStatus(ctx context.Context, describe describeVersion, version worker.WorkerDeploymentVersion, logger *slog.Logger) {
	logger = logger.With("deployment", version.DeploymentName, "buildId", version.BuildID)
	logged, pause, failures := "", firstStatusInterval, 0
	for {
		bounded, cancel := context.WithTimeout(ctx, statusTimeout)
		described, err := describe(bounded)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if failures++; failures == statusFailures {
				pause = statusInterval
				logger.Warn("Temporal does not report whether this version gets new jobs", "error", err)
			}
		default:
			pause, failures = statusInterval, 0
			if level, text := versionStatus(described.Info, version); text != logged {
				logged = text
				logger.Log(ctx, level, text)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// versionStatus is the line of the log about the version.
func versionStatus(info client.WorkerDeploymentVersionInfo, version worker.WorkerDeploymentVersion) (slog.Level, string) {
	var drainage client.WorkerDeploymentVersionDrainageStatus
	if info.DrainageInfo != nil {
		drainage = info.DrainageInfo.DrainageStatus
	}
	switch {
	case !info.CurrentSinceTime.IsZero():
		return slog.LevelInfo, "this version gets the new jobs"
	case !info.RampingSinceTime.IsZero():
		return slog.LevelInfo, fmt.Sprintf("this version gets %g%% of the new jobs", info.RampPercentage)
	case drainage == client.WorkerDeploymentVersionDrainageStatusDraining:
		return slog.LevelInfo, "this version gets no new jobs any more; its open jobs stay with it, so leave it running"
	case drainage == client.WorkerDeploymentVersionDrainageStatusDrained:
		return slog.LevelInfo, "this version gets no new jobs any more and has no open ones: it may be stopped"
	default:
		return slog.LevelWarn, "this version gets no new jobs: `" + SetCurrent(version.DeploymentName, version.BuildID) + "`"
	}
}
