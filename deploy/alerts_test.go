// Package deploy_test holds what is deployed beside lumaflow against lumaflow
// itself and against the tools that read it.
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

// promtool finds the checker that comes with Prometheus.
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

// Every alert says what it means and what to do, and is shown to fire and to
// keep quiet.
func TestEveryAlertIsExplainedAndTested(t *testing.T) {
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
	fires, quiet := map[string]bool{}, map[string]bool{}
	for _, test := range tests.Tests {
		for _, shown := range test.Cases {
			fires[shown.Alert] = fires[shown.Alert] || len(shown.Expected) > 0
			quiet[shown.Alert] = quiet[shown.Alert] || len(shown.Expected) == 0
		}
	}
	require.NotEmpty(t, rules.Groups)
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			assert.NotEmpty(t, rule.Annotations["summary"], rule.Alert)
			assert.NotEmpty(t, rule.Annotations["description"], rule.Alert)
			assert.Contains(t, []string{"warning", "critical"}, rule.Labels["severity"], rule.Alert)
			assert.True(t, fires[rule.Alert], "%s is never shown to fire", rule.Alert)
			assert.True(t, quiet[rule.Alert], "%s is never shown to keep quiet", rule.Alert)
		}
	}
}

func TestGrafanaFindsWhatIsProvisioned(t *testing.T) {
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
	seen := map[int]bool{}
	for _, panel := range board.Panels {
		assert.False(t, seen[panel.ID], "panel %d is there twice", panel.ID)
		seen[panel.ID] = true
	}
}
