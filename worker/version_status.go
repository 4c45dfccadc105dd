package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
)

const (
	// partInterval is how often Temporal is asked which part a version plays.
	partInterval = 30 * time.Second
	// partSoon is how often at first: Temporal knows a version from its first poll
	// on.
	partSoon    = time.Second
	partTimeout = 5 * time.Second
	// partPatience is how long it may not be known before the log says so.
	partPatience = 15 * time.Second
)

// describe asks Temporal about a version.
type describe func(context.Context) (client.WorkerDeploymentVersionDescription, error)

// followPart tells the log which part the version plays in its deployment, at
// the start and whenever that has changed, until ctx ends. Whether jobs come to
// these workers is an operator's word to Temporal, and nothing else here shows
// that it is missing.
func followPart(ctx context.Context, ask describe, version worker.WorkerDeploymentVersion, logger *slog.Logger) {
	logger = logger.With("deployment", version.DeploymentName, "buildId", version.BuildID)
	pause := partSoon
	var said part
	var silentSince time.Time
	var complained bool
	for {
		asking, cancel := context.WithTimeout(ctx, partTimeout)
		described, err := ask(asking)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if silentSince.IsZero() {
				silentSince = time.Now()
			}
			if !complained && time.Since(silentSince) >= partPatience {
				complained = true
				logger.Warn("Temporal does not tell whether this version gets new jobs", "error", unknownVersion(err))
			}
		default:
			silentSince, complained = time.Time{}, false
			pause = partInterval
			if now := partOf(described.Info); now != said {
				said = now
				logger.Log(ctx, now.level(), now.inWords(version))
			}
		}
		if complained {
			pause = partInterval
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

func unknownVersion(err error) error {
	var unknown *serviceerror.NotFound
	if errors.As(err, &unknown) {
		return fmt.Errorf("it does not know the version; its log and this one may say why: %w", err)
	}
	return err
}

// part is what a version is for in its deployment.
type part struct {
	kind partKind
	// percent of the new jobs go to a version that is ramping.
	percent float32
}

type partKind int

const (
	_ partKind = iota
	// partWaiting is a version that was never given jobs.
	partWaiting
	partCurrent
	partRamping
	// partDraining is a version that gets no new jobs and has open ones.
	partDraining
	partDrained
)

func partOf(info client.WorkerDeploymentVersionInfo) part {
	switch {
	case !info.CurrentSinceTime.IsZero():
		return part{kind: partCurrent}
	case !info.RampingSinceTime.IsZero():
		return part{partRamping, info.RampPercentage}
	case info.DrainageInfo == nil:
		return part{kind: partWaiting}
	case info.DrainageInfo.DrainageStatus == client.WorkerDeploymentVersionDrainageStatusDraining:
		return part{kind: partDraining}
	case info.DrainageInfo.DrainageStatus == client.WorkerDeploymentVersionDrainageStatusDrained:
		return part{kind: partDrained}
	default:
		return part{kind: partWaiting}
	}
}

func (p part) level() slog.Level {
	if p.kind == partWaiting {
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

func (p part) inWords(version worker.WorkerDeploymentVersion) string {
	switch p.kind {
	case partCurrent:
		return "this version gets the new jobs"
	case partRamping:
		return fmt.Sprintf("this version gets %g%% of the new jobs", p.percent)
	case partDraining:
		return "this version gets no new jobs any more; its open jobs stay with it, so leave it running"
	case partDrained:
		return "this version gets no new jobs any more and has no open ones: it may be stopped"
	default:
		return "this version gets no new jobs: `" + SetCurrent(version.DeploymentName, version.BuildID) + "`"
	}
}
