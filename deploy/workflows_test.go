package deploy_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// GitHub's workflows run pinned actions and build with the latest patch of go.mod's Go:
// its first patch has known vulnerabilities, which releases would contain and
// govulncheck would report.
func TestWorkflows(t *testing.T) {
	t.Parallel()
	module, err := os.ReadFile("../go.mod")
	require.NoError(t, err)
	minor := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(module)
	require.NotNil(t, minor)
	files, err := filepath.Glob("../.github/workflows/*.yml")
	require.NoError(t, err)
	require.Len(t, files, 2)
	for _, file := range files {
		workflow := read[struct {
			Permissions map[string]string
			Jobs        map[string]struct {
				Steps []struct {
					Uses string
					With map[string]any
				}
			}
		}](t, file, yaml.Unmarshal)
		assert.Equal(t, map[string]string{"contents": "read"}, workflow.Permissions, file)
		builds := false
		for _, job := range workflow.Jobs {
			for _, step := range job.Steps {
				if step.Uses == "" {
					continue
				}
				assert.Regexp(t, `^actions/[a-z-]+@[0-9a-f]{40}$`, step.Uses, file)
				if strings.HasPrefix(step.Uses, "actions/setup-go@") {
					builds = true
					assert.Equal(t, string(minor[1]), step.With["go-version"], file)
					assert.Equal(t, true, step.With["check-latest"], file)
					assert.NotContains(t, step.With, "go-version-file", file)
				}
			}
		}
		assert.True(t, builds, file)
	}
}
