package starter_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	deploymentpb "go.temporal.io/api/deployment/v1"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"lumaflow/starter"
	"lumaflow/test/startertest"
)

// Workers of another version do not serve a pinned job.
func TestStatusOfPinnedJob(t *testing.T) {
	version := func(build string) *deploymentpb.WorkerDeploymentVersion {
		return &deploymentpb.WorkerDeploymentVersion{DeploymentName: "lumaflow", BuildId: build}
	}
	pinned := &workflowpb.WorkflowExecutionVersioningInfo{Behavior: enumspb.VERSIONING_BEHAVIOR_PINNED, DeploymentVersion: version("v1")}
	moved := func(override *workflowpb.VersioningOverride) *workflowpb.WorkflowExecutionVersioningInfo {
		return &workflowpb.WorkflowExecutionVersioningInfo{
			Behavior: pinned.Behavior, DeploymentVersion: pinned.DeploymentVersion, VersioningOverride: override,
		}
	}
	const busy = "a worker is polling task queue lumaflow but did not answer in time; try again, or read its log"
	const unpinned = busy + "; `lumaflow doctor` checks whether it receives new jobs"
	noWorker := func(build string) string {
		return "the job is pinned to version " + build + " of deployment lumaflow, and no worker of it is polling task queue lumaflow; " +
			"start one of that build with: lumaflow worker --deployment-name lumaflow --build-id " + build
	}
	tests := map[string]struct {
		job    *workflowpb.WorkflowExecutionVersioningInfo
		worker string
		note   string
	}{
		"its version":           {pinned, "v1", busy},
		"another version":       {pinned, "v2", noWorker("v1")},
		"a worker without one":  {pinned, "", noWorker("v1")},
		"a job without one":     {nil, "v2", unpinned},
		"moved to another":      {moved(&workflowpb.VersioningOverride{Override: &workflowpb.VersioningOverride_Pinned{Pinned: &workflowpb.VersioningOverride_PinnedOverride{Version: version("v2")}}}), "v2", busy},
		"moved and gone":        {moved(&workflowpb.VersioningOverride{Override: &workflowpb.VersioningOverride_Pinned{Pinned: &workflowpb.VersioningOverride_PinnedOverride{Version: version("v2")}}}), "v1", noWorker("v2")},
		"let go to any version": {moved(&workflowpb.VersioningOverride{Override: &workflowpb.VersioningOverride_AutoUpgrade{AutoUpgrade: true}}), "v2", unpinned},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := startertest.New(t)
				if test.worker != "" {
					fake.WorkerVersion = &deploymentpb.WorkerDeploymentOptions{
						DeploymentName: "lumaflow", BuildId: test.worker, WorkerVersioningMode: enumspb.WORKER_VERSIONING_MODE_VERSIONED,
					}
				}
				job := fake.Job(jobID)
				job.TaskQueue = "lumaflow"
				job.Versioning = test.job
				report, err := starter.New(fake, starter.Options{}).Status(t.Context(), jobID)
				require.NoError(t, err)
				require.Equal(t, test.note, report.Note)
			})
		})
	}
}
