package deploy_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// promtool returns the path of Prometheus' checker or skips the test.
func promtool(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not on PATH: install Prometheus (Debian: apt-get install prometheus) to check the alerts")
	}
	return path
}

func TestPromtool(t *testing.T) {
	t.Parallel()
	tool := promtool(t)
	for _, arguments := range [][]string{
		{"check", "config", "prometheus.yml"},
		{"check", "rules", "--lint=all", "--lint-fatal", "alerts.yml"},
		{"test", "rules", "alerts_test.yml"},
	} {
		run := exec.CommandContext(t.Context(), tool, arguments...)
		run.Dir = "prometheus"
		output, err := run.CombinedOutput()
		assert.NoError(t, err, "promtool %v\n%s", arguments, output)
	}
}

func read[T any](t *testing.T, path string, unmarshal func([]byte, any) error) (parsed T) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, unmarshal(text, &parsed), path)
	return parsed
}

func fromYAML(text []byte, into any) error { return yaml.Unmarshal(text, into) }

// Every alert has a summary, a description and two rule tests: one fires, one does
// not.
func TestAlertsAreDocumentedAndTested(t *testing.T) {
	t.Parallel()
	rules := read[struct {
		Groups []struct {
			Rules []struct {
				Alert       string
				Labels      map[string]string
				Annotations map[string]string
			}
		}
	}](t, "prometheus/alerts.yml", fromYAML)
	tests := read[struct {
		Tests []struct {
			Cases []struct {
				Alert    string `yaml:"alertname"`
				Expected []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}](t, "prometheus/alerts_test.yml", fromYAML)
	firing, silent := map[string]bool{}, map[string]bool{}
	for _, test := range tests.Tests {
		for _, c := range test.Cases {
			firing[c.Alert] = firing[c.Alert] || len(c.Expected) > 0
			silent[c.Alert] = silent[c.Alert] || len(c.Expected) == 0
		}
	}
	require.NotEmpty(t, rules.Groups)
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			assert.NotEmpty(t, rule.Annotations["summary"], rule.Alert)
			assert.NotEmpty(t, rule.Annotations["description"], rule.Alert)
			assert.Contains(t, []string{"warning", "critical"}, rule.Labels["severity"], rule.Alert)
			assert.True(t, firing[rule.Alert], "no rule test in which %s fires", rule.Alert)
			assert.True(t, silent[rule.Alert], "no rule test in which %s does not fire", rule.Alert)
		}
	}
}

func TestGrafanaProvisioning(t *testing.T) {
	t.Parallel()
	sources := read[struct {
		Datasources []struct{ UID, Type, URL string }
	}](t, "grafana/provisioning/datasources/prometheus.yml", fromYAML)
	require.Len(t, sources.Datasources, 1)
	providers := read[struct {
		Providers []struct {
			Type    string
			Options struct{ Path string }
		}
	}](t, "grafana/provisioning/dashboards/lumaflow.yml", fromYAML)
	require.Len(t, providers.Providers, 1)
	assert.Equal(t, "/var/lib/grafana/dashboards", providers.Providers[0].Options.Path)
	boards, err := filepath.Glob("grafana/dashboards/*.json")
	require.NoError(t, err)
	require.Len(t, boards, 1)
	board := read[struct {
		UID    string
		Panels []struct {
			ID    int
			Title string
		}
	}](t, boards[0], json.Unmarshal)
	assert.Equal(t, "lumaflow", board.UID)
	ids := map[int]bool{}
	for _, panel := range board.Panels {
		assert.False(t, ids[panel.ID], "duplicate panel id %d", panel.ID)
		ids[panel.ID] = true
	}
}
