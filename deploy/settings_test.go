package deploy_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestEnvExample compares .env.example with docker-compose.yml: the same variables
// and defaults, and no value for a required one.
func TestEnvExample(t *testing.T) {
	t.Parallel()
	documented := map[string]string{}
	required := map[string]bool{}
	for line := range strings.Lines(content(t, ".env.example")) {
		setting := regexp.MustCompile(`^(# )?([A-Z_]+)=(\S*)\n$`).FindStringSubmatch(line)
		if setting == nil {
			assert.Regexp(t, `^(#.*)?\n$`, line, "not a comment or a setting")
			continue
		}
		documented[setting[2]] = setting[3]
		required[setting[2]] = setting[1] == ""
	}
	delete(documented, "COMPOSE_PROJECT_NAME")
	for _, found := range reference.FindAllStringSubmatch(content(t, "docker-compose.yml"), -1) {
		name, kind, text := found[1], found[2], found[3]
		require.Contains(t, documented, name, "missing in .env.example")
		switch kind {
		case ":-":
			assert.Equal(t, text, documented[name], "the default of %s", name)
		case ":?":
			assert.True(t, required[name] && documented[name] == "", "%s must be empty and uncommented", name)
			assert.Equal(t, "set "+name+" in .env, see .env.example", text)
		case "?":
			assert.Equal(t, "set "+name+" in .env, see .env.example", text)
		}
	}
	used := content(t, "docker-compose.yml")
	for name := range documented {
		assert.Regexp(t, `\$\{`+name+`\W|\n +`+name+`:\n`, used, "%s is not used", name)
	}
	for _, s := range services(t) {
		for name, value := range s.Environment {
			if value == "" {
				assert.Contains(t, documented, name, "missing in .env.example")
			}
		}
	}
	ignored := strings.Split(content(t, ".gitignore"), "\n")
	assert.Contains(t, ignored, "/.env", "git would add the secrets")
}

// Every documented setting is in .env.example.
func TestEnvExampleIsComplete(t *testing.T) {
	t.Parallel()
	fixed := []string{
		// Set by the image and by docker-compose.yml.
		"WEBHOOK_LISTEN", "WORK_DIR", "METRICS_LISTEN", "CODEC_LISTEN", "CODEC_ORIGIN", "GALLERY_LISTEN", "TEMPORAL_UI",
		// Unset: docker-compose.yml has one version of the workers.
		"TEMPORAL_DEPLOYMENT_NAME", "TEMPORAL_WORKER_BUILD_ID",
	}
	_, table, found := strings.Cut(content(t, "docs/configuration.md"), "\n## Variables with a flag\n")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "\n## ")
	rows := regexp.MustCompile("(?m)^\\| `([A-Z_]+)` \\|").FindAllStringSubmatch(table, -1)
	require.NotEmpty(t, rows)
	for _, row := range append(rows, []string{"", "CODEC_KEYS"}) {
		// docker-compose.yml runs no simulator beside the demo's.
		if variable := row[1]; !slices.Contains(fixed, variable) && !strings.HasPrefix(variable, "SIMULATE_") {
			assert.Regexp(t, `(?m)^(# )?`+variable+`=`, content(t, ".env.example"))
		}
	}
}
