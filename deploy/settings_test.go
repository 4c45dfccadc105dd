package deploy_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSettingsAreExplained holds .env.example to docker-compose.yml: the same
// variables, the same defaults, and no value where one is required.
func TestSettingsAreExplained(t *testing.T) {
	t.Parallel()
	explained := map[string]string{}
	required := map[string]bool{}
	for line := range strings.Lines(content(t, ".env.example")) {
		setting := regexp.MustCompile(`^(# )?([A-Z_]+)=(\S*)\n$`).FindStringSubmatch(line)
		if setting == nil {
			assert.Regexp(t, `^(#.*)?\n$`, line, "neither a comment nor a setting")
			continue
		}
		explained[setting[2]] = setting[3]
		required[setting[2]] = setting[1] == ""
	}
	delete(explained, "COMPOSE_PROJECT_NAME")
	for _, found := range reference.FindAllStringSubmatch(content(t, "docker-compose.yml"), -1) {
		name, kind, text := found[1], found[2], found[3]
		require.Contains(t, explained, name, ".env.example does not tell what it is")
		switch kind {
		case ":-":
			assert.Equal(t, text, explained[name], "the default of %s", name)
		case ":?":
			assert.True(t, required[name] && explained[name] == "", "%s has to be filled in", name)
			assert.Equal(t, "set "+name+" in .env, .env.example tells how", text)
		case "?":
			assert.Equal(t, "set "+name+" in .env, .env.example tells how", text)
		}
	}
	used := content(t, "docker-compose.yml")
	for name := range explained {
		assert.Regexp(t, `\$\{`+name+`\W|\n +`+name+`:\n`, used, "%s is explained and not used", name)
	}
	for _, s := range services(t) {
		for name, value := range s.Environment {
			if value == "" {
				assert.Contains(t, explained, name, ".env.example does not tell what is passed on")
			}
		}
	}
	ignored := strings.Split(content(t, ".gitignore"), "\n")
	assert.Contains(t, ignored, "/.env", "git would take the secrets")
}

// Every setting that the README lists is one of .env.example.
func TestNoSettingIsForgotten(t *testing.T) {
	t.Parallel()
	settled := []string{
		// By the image and by docker-compose.yml.
		"WEBHOOK_LISTEN", "WORK_DIR", "METRICS_LISTEN", "CODEC_LISTEN", "CODEC_ORIGIN",
		// By nobody: docker-compose.yml has one version of the workers.
		"TEMPORAL_DEPLOYMENT_NAME", "TEMPORAL_WORKER_BUILD_ID",
	}
	_, table, found := strings.Cut(content(t, "README.md"), "\n## Configuration\n")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "\n## ")
	rows := regexp.MustCompile("(?m)^\\| (`.*?) \\|").FindAllStringSubmatch(table, -1)
	require.NotEmpty(t, rows)
	for _, row := range rows {
		for _, setting := range regexp.MustCompile("`([A-Z_]+)`").FindAllStringSubmatch(row[1], -1) {
			if !slices.Contains(settled, setting[1]) {
				assert.Regexp(t, `(?m)^(# )?`+setting[1]+`=`, content(t, ".env.example"))
			}
		}
	}
}
