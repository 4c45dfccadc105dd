package deploy_test

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
	"golang.org/x/net/http/httpproxy"
)

// TestEnvExample compares .env.example with docker-compose.yml: the same variables
// and defaults, and no value for a required one.
func TestEnvExample(t *testing.T) {
	t.Parallel()
	documented := map[string]string{}
	secretFiles := map[string]bool{}
	required := map[string]bool{}
	for line := range strings.Lines(content(t, ".env.example")) {
		setting := regexp.MustCompile(`^(# )?([A-Z_]+)=(\S*)\n$`).FindStringSubmatch(line)
		if setting == nil {
			assert.Regexp(t, `^(#.*)?\n$`, line, "not a comment or a setting")
			continue
		}
		if secret, ok := strings.CutSuffix(setting[2], "_FILE"); ok {
			secretFiles[secret] = true
			continue
		}
		documented[setting[2]] = setting[3]
		required[setting[2]] = setting[1] == ""
	}
	delete(documented, "COMPOSE_PROJECT_NAME")
	for _, found := range reference.FindAllStringSubmatch(content(t, "docker-compose.yml"), -1) {
		name, kind, text := found[1], found[2], found[3]
		if secret, ok := strings.CutSuffix(name, "_FILE"); ok {
			assert.True(t, secretFiles[secret] || documented[secret] == "", "%s has a default beside its file", secret)
			continue
		}
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

// Workers and webhook get the proxy of the environment, but connect to Temporal and the
// other services directly.
func TestProxy(t *testing.T) {
	t.Parallel()
	direct := func(exceptions, address string) bool {
		choose := (&httpproxy.Config{HTTPSProxy: "proxy.example:3128", HTTPProxy: "proxy.example:3128", NoProxy: exceptions}).ProxyFunc()
		through, err := choose(&url.URL{Scheme: "https", Host: address})
		require.NoError(t, err)
		return through == nil
	}
	s := configReader(t)
	s.env = append(s.env, "HTTPS_PROXY=http://proxy.example:3128", "NO_PROXY=minio")
	var config struct {
		Services map[string]struct {
			Environment map[string]string `yaml:"environment"`
		} `yaml:"services"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(s.compose("config")), &config))
	for _, name := range []string{"webhook", "worker-1", "worker-2"} {
		environment := config.Services[name].Environment
		assert.Equal(t, "http://proxy.example:3128", environment["HTTPS_PROXY"], name)
		assert.Empty(t, environment["HTTP_PROXY"]+environment["ALL_PROXY"], name)
		for _, address := range []string{environment["TEMPORAL_ADDRESS"], "webhook:8080", "simulator:8090", "minio:9000"} {
			assert.True(t, direct(environment["NO_PROXY"], address), "%s of %s", address, name)
		}
		assert.False(t, direct(environment["NO_PROXY"], "api.kie.ai:443"), name)
	}

	configMap := content(t, "deploy/kubernetes/configmap.yaml")
	exceptions := regexp.MustCompile(`(?m)^  # NO_PROXY: (.+)$`).FindStringSubmatch(configMap)
	address := regexp.MustCompile(`(?m)^  TEMPORAL_ADDRESS: (.+)$`).FindStringSubmatch(configMap)
	require.NotEmpty(t, exceptions)
	require.NotEmpty(t, address)
	assert.True(t, direct(exceptions[1], address[1]))
}
