package worker

import (
	"log/slog"

	"go.temporal.io/sdk/worker"
)

// FollowPart is for tests of what the log is told.
var FollowPart = followPart

type (
	Claim            = claim
	DeploymentHandle = deploymentHandle
)

// NewClaim is the claim of one build.
func NewClaim(deployment DeploymentHandle, version worker.WorkerDeploymentVersion, code string, lost func(error), logger *slog.Logger) *Claim {
	return &claim{deployment: deployment, version: version, code: code, lost: lost, logger: logger}
}

var (
	Check  = (*claim).check
	Follow = (*claim).follow
)
