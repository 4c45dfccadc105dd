package deploy_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// maxAnonymous is the most anonymous memory of an idle process, in bytes.
var maxAnonymous = map[string]int{"worker-1": 40_000_000, "worker-2": 40_000_000, "webhook": 30_000_000}

// publishedPorts checks the ports on the host and their addresses.
func (s *stack) publishedPorts(t *testing.T) {
	s = s.in(t)
	var published []string
	for container := range strings.FieldsSeq(s.compose("ps", "-q")) {
		published = append(published, strings.Fields(s.inspect(container,
			`{{range .NetworkSettings.Ports}}{{range .}}{{.HostIp}}:{{.HostPort}} {{end}}{{end}}`))...)
	}
	address := func(host, variable string) string { return host + ":" + s.setting(variable) }
	ui, webhook, codec, gallery := address("127.0.0.1", "UI_PORT"), address("0.0.0.0", "WEBHOOK_PORT"), address("127.0.0.1", "CODEC_PORT"), address("127.0.0.1", "GALLERY_PORT")
	require.ElementsMatch(t, []string{ui, webhook, codec, gallery}, published)
	for address, path := range map[string]string{ui: "/", webhook: "/healthz", codec: "/healthz", gallery: "/healthz"} {
		s.eventually(address+path+" answers", func() bool {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, nil)
			require.NoError(t, err)
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				return false
			}
			_ = response.Body.Close()
			return response.StatusCode == http.StatusOK
		})
	}
}

// prometheus starts Prometheus and checks its targets and rules.
func (s *stack) prometheus(t *testing.T) {
	s = s.in(t)
	s.compose("up", "-d", "prometheus")
	get := func(path string, answer any) {
		require.NoError(t, json.Unmarshal([]byte(s.once("wget", "-q", "-O", "-", "http://prometheus:9090/api/v1/"+path)), answer))
	}
	container := s.containers("prometheus")[0]
	s.eventually("Prometheus is healthy", func() bool { return s.healthy(container) })
	s.eventually("every process is scraped", func() bool {
		var targets struct {
			Data struct {
				ActiveTargets []struct{ ScrapeURL, Health string }
			}
		}
		get("targets", &targets)
		up := map[string]string{}
		for _, target := range targets.Data.ActiveTargets {
			up[target.ScrapeURL] = target.Health
		}
		return maps.Equal(up, map[string]string{
			"http://worker-1:9464/metrics": "up", "http://worker-2:9464/metrics": "up", "http://webhook:9464/metrics": "up",
		})
	})
	type rule struct{ Name, Health string }
	s.eventually("every rule was evaluated without an error", func() bool {
		var rules struct {
			Data struct{ Groups []struct{ Rules []rule } }
		}
		get("rules", &rules)
		var loaded []rule
		for _, group := range rules.Data.Groups {
			loaded = append(loaded, group.Rules...)
		}
		return len(loaded) == strings.Count(content(t, "deploy/prometheus/alerts.yml"), "- alert: ") &&
			!slices.ContainsFunc(loaded, func(r rule) bool { return r.Health != "ok" })
	})
}

// encrypted checks the history of a job of all roles, with and without the codec
// server.
func (s *stack) encrypted(t *testing.T) {
	s = s.in(t)
	show := []string{"workflow", "show", "--namespace", "lumaflow", "--workflow-id", "worker-1-dies-slow-response", "--output", "json"}
	secrets := regexp.MustCompile(`https?:|file:|\[fault`)
	assert.Empty(t, secrets.FindAllString(decodeBase64(s.once("temporal", show...)), -1))
	// No container of the stack reaches both Temporal and the codec server.
	project := s.setting("COMPOSE_PROJECT_NAME")
	container := s.docker(slices.Concat([]string{"create", "--network", project + "_temporal", "--env", "TEMPORAL_ADDRESS=passthrough:///temporal:7233", "--entrypoint", "temporal",
		s.imageOf("TEMPORAL_ADMIN_TOOLS_IMAGE")}, show, []string{"--codec-endpoint", "http://codec-server:8081", "--codec-auth", "Bearer " + codecToken})...)
	defer s.docker("rm", "--force", container)
	s.docker("network", "connect", project+"_codec-published", container)
	decrypted := decodeBase64(s.docker("start", "--attach", container))
	for _, text := range []string{simulatedClip, "[fault: slow-response]", "file:///videos/luma_result_"} {
		assert.Contains(t, decrypted, text)
	}
}

// memory bounds the memory of the processes after all jobs are done.
func (s *stack) memory(t *testing.T) {
	s = s.in(t)
	for _, service := range []string{"worker-1", "worker-2", "webhook", "simulator", "temporal", "ui"} {
		container := s.containers(service)[0]
		held, err := s.anonymous(container)
		if err != nil {
			t.Skipf("the memory of %s cannot be read: %v", service, err)
		}
		t.Logf("%s holds %.1f MB", service, float64(held)/1e6)
		if most := maxAnonymous[service]; most != 0 {
			// The Go runtime returns the memory of the last burst within minutes.
			s.eventually(fmt.Sprintf("%s holds less than %d MB", service, most/1e6), func() bool {
				held, err := s.anonymous(container)
				return err == nil && held < most
			})
		}
	}
}

// anonymous returns the anonymous resident memory of a container's process, in
// bytes: without the pages of the program file, which the kernel drops under
// pressure.
func (s *stack) anonymous(container string) (int, error) {
	status, err := os.ReadFile("/proc/" + s.inspect(container, "{{.State.Pid}}") + "/status")
	if err != nil {
		return 0, err
	}
	held := regexp.MustCompile(`RssAnon:\s*(\d+) kB`).FindSubmatch(status)
	if held == nil {
		return 0, errors.New("its status has no RssAnon")
	}
	kilobytes, err := strconv.Atoi(string(held[1]))
	return kilobytes * 1024, err
}
