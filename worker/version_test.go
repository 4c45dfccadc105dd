package worker_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	sdkworker "go.temporal.io/sdk/worker"

	"lumaflow/internal/command"
	"lumaflow/worker"
)

func TestVersion(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ deployment, build, refused string }{
		"none":                       {},
		"both":                       {deployment: "lumaflow", build: "v1.2.3+abc:def@sha256"},
		"of the worker controller":   {deployment: "video/lumaflow-worker", build: "v1-2-3-5f9c"},
		"as long as it may be":       {deployment: strings.Repeat("n", 480), build: strings.Repeat("b", 255)},
		"a build alone":              {build: "v1", refused: "TEMPORAL_WORKER_BUILD_ID is set but TEMPORAL_DEPLOYMENT_NAME is not"},
		"a dot":                      {deployment: "luma.flow", build: "v1", refused: "TEMPORAL_DEPLOYMENT_NAME is \"luma.flow\": Temporal takes no name with a dot or a colon"},
		"a colon":                    {deployment: "luma:flow", build: "v1", refused: "TEMPORAL_DEPLOYMENT_NAME"},
		"a name of Temporal's own":   {deployment: "__lumaflow", build: "v1", refused: "TEMPORAL_DEPLOYMENT_NAME is \"__lumaflow\""},
		"a build of Temporal's own":  {deployment: "lumaflow", build: "__unversioned__", refused: "TEMPORAL_WORKER_BUILD_ID is \"__unversioned__\""},
		"a long name":                {deployment: strings.Repeat("n", 481), build: "v1", refused: "TEMPORAL_DEPLOYMENT_NAME has 481 bytes: Temporal takes at most 480"},
		"a long build":               {deployment: "lumaflow", build: strings.Repeat("b", 256), refused: "TEMPORAL_WORKER_BUILD_ID has 256 bytes: Temporal takes at most 255"},
		"a line end":                 {deployment: "lumaflow\n", build: "v1", refused: `TEMPORAL_DEPLOYMENT_NAME is "lumaflow\n": give a name without blanks`},
		"a blank":                    {deployment: "lumaflow", build: "v 1", refused: "TEMPORAL_WORKER_BUILD_ID"},
		"no text":                    {deployment: "lumaflow", build: "\xff", refused: "TEMPORAL_WORKER_BUILD_ID"},
		"a build without a revision": {deployment: "lumaflow", refused: "TEMPORAL_DEPLOYMENT_NAME is set but this build has no revision: set TEMPORAL_WORKER_BUILD_ID"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := worker.Settings{DeploymentName: test.deployment, BuildID: test.build}
			version, err := settings.Version()
			if test.refused == "" {
				require.NoError(t, err)
				require.Equal(t, sdkworker.WorkerDeploymentVersion{DeploymentName: test.deployment, BuildID: test.build}, version)
				return
			}
			require.ErrorContains(t, err, test.refused)
			require.Equal(t, command.ExitUsage, command.ExitCode(err))
			require.NotContains(t, err.Error(), "\n")
		})
	}
}
