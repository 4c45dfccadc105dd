package worker

import (
	"context"
	"log/slog"
	"sync"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/worker"

	"lumaflow/internal/command"
)

// codeKey is the entry of a version's metadata that names the code which came
// first under its build id.
const codeKey = "lumaflow-code"

// deploymentHandle is what a claim asks of Temporal.
type deploymentHandle interface {
	DescribeVersion(context.Context, client.WorkerDeploymentDescribeVersionOptions) (client.WorkerDeploymentVersionDescription, error)
	UpdateVersionMetadata(context.Context, client.WorkerDeploymentUpdateVersionMetadataOptions) (client.WorkerDeploymentUpdateVersionMetadataResponse, error)
}

// claim keeps a build id for the code that first worked under it. Temporal itself
// takes any code for a version that has its id, and would hand it the version's
// open jobs, which it may not be able to follow. Nil claims nothing.
type claim struct {
	deployment deploymentHandle
	version    worker.WorkerDeploymentVersion
	// code tells a build from every other; see command.Code.
	code string
	// lost is called when other code turns out to have the id.
	lost   func(error)
	logger *slog.Logger
	warned bool
}

// check returns an error if other code has the id. It is not one that Temporal
// does not know the version yet, or does not answer: describe asks again.
func (c *claim) check(ctx context.Context) error {
	if c == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, partTimeout)
	defer cancel()
	described, err := c.ask(ctx)
	if had := owner(described); err == nil && had != "" && had != c.code {
		return c.refused(had)
	}
	return nil
}

// follow tells the log which part the version plays, and stands by the claim; it
// returns how to end that.
func (c *claim) follow(ctx context.Context) (stop func()) {
	if c == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var following sync.WaitGroup
	following.Go(func() { followPart(ctx, c.describe, c.version, c.logger) })
	return func() { cancel(); following.Wait() }
}

// describe tells of the version and, once Temporal knows it, takes its id, or
// finds that two builds have come under it at the same moment.
func (c *claim) describe(ctx context.Context) (client.WorkerDeploymentVersionDescription, error) {
	described, err := c.ask(ctx)
	if err != nil {
		return described, err
	}
	switch had := owner(described); had {
	case c.code:
	case "":
		c.take(ctx)
	default:
		c.lost(c.refused(had))
	}
	return described, nil
}

func (c *claim) ask(ctx context.Context) (client.WorkerDeploymentVersionDescription, error) {
	return c.deployment.DescribeVersion(ctx, client.WorkerDeploymentDescribeVersionOptions{BuildID: c.version.BuildID})
}

// refused says that the id belongs to the code that had it first.
func (c *claim) refused(had string) error {
	return command.Usagef("TEMPORAL_WORKER_BUILD_ID %s of deployment %s belongs to other code (%s; this is %s), whose open jobs this build may not be able to follow: give it a build id of its own",
		c.version.BuildID, c.version.DeploymentName, had, c.code)
}

// take writes the code into the version's metadata. A second build that does so
// at the same moment is told from this one when the version is looked at again.
func (c *claim) take(ctx context.Context) {
	// In the clear also where jobs are encrypted: it is meant for operators.
	code, err := converter.GetDefaultDataConverter().ToPayload(c.code)
	if err == nil {
		_, err = c.deployment.UpdateVersionMetadata(ctx, client.WorkerDeploymentUpdateVersionMetadataOptions{
			Version:        c.version,
			MetadataUpdate: client.WorkerDeploymentMetadataUpdate{UpsertEntries: map[string]any{codeKey: code}},
		})
	}
	if err != nil && ctx.Err() == nil && !c.warned {
		c.warned = true
		c.logger.Warn("could not note which code this build id belongs to, so other code under the same id would not be refused",
			"deployment", c.version.DeploymentName, "buildId", c.version.BuildID, "error", err)
	}
}

// owner is the code that has a version's id, or empty if none is noted.
func owner(described client.WorkerDeploymentVersionDescription) string {
	var code string
	if noted := described.Info.Metadata[codeKey]; noted != nil {
		_ = converter.GetDefaultDataConverter().FromPayload(noted, &code)
	}
	return code
}
