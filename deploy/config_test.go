package deploy_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// configReader returns a stack for `docker compose config`, which needs no engine.
func configReader(t *testing.T) *stack {
	t.Helper()
	tool := composeTool(t.Context())
	if tool == nil {
		t.Skip("`docker compose` is not installed; deploy/local-images/build installs it")
	}
	return &stack{t: t, tool: tool, env: plainEnvironment(t)}
}

func TestComposeConfig(t *testing.T) {
	t.Parallel()
	s := configReader(t)
	config := s.compose("--profile", "observe", "config")
	assert.Contains(t, config, "KIE_BASE_URL: http://simulator:8090")
	assert.NotContains(t, config, "api.kie.ai", "the demo uses the real kie.ai")
}

// A missing CALLBACK_BASE_URL is named; the secrets are checked by settings.sh.
func TestMissingSettingsAreNamed(t *testing.T) {
	t.Parallel()
	s := configReader(t)
	_, err := s.run(t.Context(), s.tool[0], append(s.tool[1:len(s.tool):len(s.tool)], "--env-file", os.DevNull, "config")...)
	require.ErrorContains(t, err, "set CALLBACK_BASE_URL in .env, see .env.example")
}
