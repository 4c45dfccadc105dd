package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Other code under a build id that has jobs is refused, before it gets one of
// them; the same code, of however many workers, is not.
func TestOneBuildIDIsOneCode(t *testing.T) {
	t.Parallel()
	deployment := newDeployment("e2e-build-id")
	w := enter(t, setup{env: []string{"TEMPORAL_DEPLOYMENT_NAME=" + deployment, "TEMPORAL_WORKER_BUILD_ID=v1"}})
	command := w.worker.awaitOutput("this version gets no new jobs: `(.*)`")
	w.until("the version knows its code", func() bool {
		told := w.temporalCLI("worker", "deployment", "describe-version", "--deployment-name", deployment, "--build-id", "v1", "--output", "json")
		return told.code == 0 && strings.Contains(told.out, "lumaflow-code")
	})

	// What comes after a program's end is not run, and makes it another program.
	other := filepath.Join(t.TempDir(), "lumaflow")
	program, err := os.ReadFile(binary)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(other, append(program, '\n'), 0o700))
	refused := execute(t, w.env, other, "worker")
	require.Equal(t, 2, refused.code, refused.err)
	require.Regexp(t, `(?m)^lumaflow: TEMPORAL_WORKER_BUILD_ID v1 of deployment `+deployment+` belongs to other code `+
		`\(sha256 [0-9a-f]{16}; this is sha256 [0-9a-f]{16}\), whose open jobs this build may not be able to follow: give it a build id of its own\n$`, refused.err)

	second := start(t, w.env, "worker")
	second.awaitOutput("worker running")
	w.runSuggested(command)
	w.start("e2e-build-id", jobInput("e2e-build-id"))
	_, err = w.result("e2e-build-id")
	require.NoError(t, err)
	require.Zero(t, second.stop())
}
