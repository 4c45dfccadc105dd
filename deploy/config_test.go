package deploy_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// configReader returns a stack for `docker compose config`, which needs no engine.
func configReader(t *testing.T) *stack {
	t.Helper()
	tool := composeTool(t.Context())
	if tool == nil {
		t.Skip("neither `docker compose` nor docker-compose is installed")
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

// Each missing required setting is named.
func TestMissingSettingsAreNamed(t *testing.T) {
	t.Parallel()
	s := configReader(t)
	var required []string
	for _, found := range reference.FindAllStringSubmatch(content(t, "docker-compose.yml"), -1) {
		if strings.HasSuffix(found[2], "?") {
			required = append(required, found[1])
		}
	}
	require.ElementsMatch(t, []string{"POSTGRES_PASSWORD", "CALLBACK_SECRET", "KIE_API_KEY", "CALLBACK_BASE_URL"}, required)
	for _, missing := range required {
		var settings []string
		for _, name := range required {
			if name != missing {
				settings = append(settings, name+"=something-of-32-bytes-at-the-least")
			}
		}
		env := filepath.Join(t.TempDir(), "env")
		require.NoError(t, os.WriteFile(env, []byte(strings.Join(settings, "\n")), 0o600))
		_, err := s.run(t.Context(), s.tool[0], append(s.tool[1:len(s.tool):len(s.tool)], "--env-file", env, "config")...)
		require.ErrorContains(t, err, "set "+missing+" in .env, see .env.example")
	}
}
