package deploy_test

import (
	"bufio"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// temporalPorts are the frontend (7233 gRPC, 7243 HTTP) and the inner services of the
// server, which listen on the same address. All of them trust their callers, so that
// an inner port grants no more than the frontend.
var temporalPorts = []string{"6933", "6934", "6935", "6939", "7233", "7234", "7235", "7239", "7243"}

// reachable has, for each container, the ports of others that it can connect to.
// Everything else is unreachable from it.
var reachable = map[string]map[string][]string{
	"postgres":     {"temporal": temporalPorts},
	"temporal":     {"postgres": {"5432"}, "ui": {"8080"}, "webhook": {"8080", "9464"}, "worker-1": {"9464"}, "worker-2": {"9464"}},
	"ui":           {"temporal": temporalPorts},
	"webhook":      {"temporal": temporalPorts, "worker-1": {"9464"}, "worker-2": {"9464"}, "simulator": {"8090"}, "prometheus": {"9090"}},
	"worker-1":     {"temporal": temporalPorts, "worker-2": {"9464"}, "webhook": {"8080", "9464"}, "simulator": {"8090"}, "prometheus": {"9090"}},
	"worker-2":     {"temporal": temporalPorts, "worker-1": {"9464"}, "webhook": {"8080", "9464"}, "simulator": {"8090"}, "prometheus": {"9090"}},
	"simulator":    {"worker-1": {"9464"}, "worker-2": {"9464"}, "webhook": {"8080", "9464"}, "prometheus": {"9090"}},
	"prometheus":   {"worker-1": {"9464"}, "worker-2": {"9464"}, "webhook": {"8080", "9464"}, "simulator": {"8090"}},
	"grafana":      {"prometheus": {"9090"}},
	"codec-server": {},
	"gallery":      {},
}

// published has the ports of the host: the variable of the port, and whether it is
// reachable from other machines when WEBHOOK_ADDRESS is 0.0.0.0.
var published = map[string]bool{"WEBHOOK_PORT": true, "UI_PORT": false, "CODEC_PORT": false, "GALLERY_PORT": false}

// holders has the secrets that each container can read.
var holders = map[string][]string{
	"settings": {"postgres_password", "kie_api_key", "callback_secret", "kie_webhook_hmac_key", "codec_keys"},
	"postgres": {"postgres_password"}, "schema": {"postgres_password"}, "temporal": {"postgres_password"},
	"namespace": nil, "ui": nil, "simulator": nil, "demo": nil, "prometheus": nil,
	"webhook":      {"callback_secret", "kie_webhook_hmac_key", "codec_keys"},
	"worker-1":     {"kie_api_key", "callback_secret", "kie_webhook_hmac_key", "codec_keys"},
	"worker-2":     {"kie_api_key", "callback_secret", "kie_webhook_hmac_key", "codec_keys"},
	"codec-server": {"codec_keys", "codec_token"},
	"gallery":      {"gallery_token"},
	"grafana":      {"grafana_password"},
}

// reachability connects from the network of each container to each listening port of
// each other container, on all of its addresses, and from the host to its ports.
func (s *stack) reachability(t *testing.T) {
	s = s.in(t)
	s.compose("up", "-d", "--wait", "prometheus", "gallery")
	s.substituteGrafana()
	probe := filepath.Join(t.TempDir(), "probe")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", probe, "./probe")
	build.Env = append(build.Environ(), "CGO_ENABLED=0")
	output, err := build.CombinedOutput()
	require.NoError(t, err, string(output))
	inNetworkOf := func(container, entrypoint string, args ...string) string {
		return s.docker(slices.Concat([]string{"run", "--rm", "--network", "container:" + container, "--volume", probe + ":/probe:ro",
			"--entrypoint", entrypoint, s.imageOf("TEMPORAL_ADMIN_TOOLS_IMAGE")}, args)...)
	}

	containers := map[string]string{}
	targets := map[string]string{} // address to "service port"
	for service := range reachable {
		containers[service] = s.containers(service)[0]
		listening := listeningPorts(inNetworkOf(containers[service], "cat", "/proc/net/tcp", "/proc/net/tcp6"))
		if service != "grafana" {
			require.NotEmpty(t, listening, service)
		}
		for ip := range strings.FieldsSeq(s.inspect(containers[service], "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}")) {
			for _, port := range listening {
				targets[net.JoinHostPort(ip, port)] = service + " " + port
			}
		}
	}
	addresses := slices.Sorted(maps.Keys(targets))
	for service, container := range containers {
		found := map[string][]string{}
		for address := range strings.FieldsSeq(inNetworkOf(container, "/probe", addresses...)) {
			target, port, _ := strings.Cut(targets[address], " ")
			if target != service && !slices.Contains(found[target], port) {
				found[target] = append(found[target], port)
			}
		}
		for _, ports := range found {
			slices.Sort(ports)
		}
		assert.Equal(t, reachable[service], found, "reachable from %s", service)
	}
	t.Logf("%d addresses from each of %d containers", len(addresses), len(containers))

	outside := hostAddress(t)
	for variable, everywhere := range published {
		port := s.setting(variable)
		assert.True(t, accepts(t, net.JoinHostPort("127.0.0.1", port)), "%s is not published", variable)
		assert.Equal(t, everywhere, accepts(t, net.JoinHostPort(outside, port)), "%s from other machines", variable)
	}
}

// substituteGrafana starts a container without Grafana's image in its networks.
func (s *stack) substituteGrafana() {
	s.t.Helper()
	with := &stack{t: s.t, tool: s.tool, env: append(slices.Clone(s.env), "GRAFANA_IMAGE="+s.imageOf("TEMPORAL_ADMIN_TOOLS_IMAGE"), "GRAFANA_PORT="+freePort(s.t))}
	override := filepath.Join(s.t.TempDir(), "grafana.yml")
	writeFile(s.t, override, "services: {grafana: {entrypoint: [sleep, infinity], healthcheck: {disable: true}}}\n")
	with.compose("-f", "docker-compose.yml", "-f", override, "--profile", "observe", "up", "-d", "--no-deps", "grafana")
}

// listeningPorts returns the TCP ports of /proc/net/tcp that listen on more than
// loopback addresses.
func listeningPorts(table string) []string {
	ports := map[string]bool{}
	for lines := bufio.NewScanner(strings.NewReader(table)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || fields[3] != "0A" {
			continue
		}
		address, hex, _ := strings.Cut(fields[1], ":")
		// 127.x.x.x, and ::1, in the byte order of the table.
		if len(address) == 8 && strings.HasSuffix(address, "7F") || address == "00000000000000000000000001000000" {
			continue
		}
		if port, err := strconv.ParseUint(hex, 16, 16); err == nil {
			ports[strconv.FormatUint(port, 10)] = true
		}
	}
	return slices.Sorted(maps.Keys(ports))
}

// hostAddress returns an address of this machine that other machines may reach.
func hostAddress(t *testing.T) string {
	t.Helper()
	// Connecting UDP sends nothing; it only selects the source address.
	connection, err := new(net.Dialer).DialContext(t.Context(), "udp", "192.0.2.255:9")
	if err != nil {
		t.Skipf("this machine has no address besides loopback: %v", err)
	}
	defer func() { _ = connection.Close() }()
	host, _, err := net.SplitHostPort(connection.LocalAddr().String())
	require.NoError(t, err)
	return host
}

func accepts(t *testing.T, address string) bool {
	t.Helper()
	connection, err := (&net.Dialer{Timeout: 2 * time.Second}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		return false
	}
	_ = connection.Close()
	return true
}

// TestSecretHolders compares docker-compose.yml with holders, bucket credentials,
// proxies and trace headers aside.
func TestSecretHolders(t *testing.T) {
	t.Parallel()
	optional := regexp.MustCompile(`^(aws|azure|otel|https_proxy)`)
	all := services(t)
	require.Len(t, all, len(holders))
	for name, s := range all {
		assert.ElementsMatch(t, holders[name], slices.DeleteFunc(s.Secrets, optional.MatchString), name)
		if !strings.HasPrefix(name, "worker") && name != "webhook" && name != "gallery" {
			assert.False(t, slices.ContainsFunc(s.Secrets, optional.MatchString), name)
		}
		for variable := range s.Environment {
			if secret, ok := strings.CutSuffix(variable, "_FILE"); ok {
				assert.Contains(t, s.Environment, secret, "%s: %s has no variable without a file", name, variable)
			}
		}
	}
}

// badSecrets starts the first service with secrets that can't be used.
func (s *stack) badSecrets(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	writeFile(t, empty, "\n")
	require.NoError(t, os.Chmod(empty, 0o444))
	for name, test := range map[string]struct {
		settings []string
		want     string
	}{
		"missing file":      {[]string{"KIE_API_KEY_FILE=" + empty + "-no"}, "bind source path does not exist"},
		"unset":             {[]string{"KIE_API_KEY_FILE="}, "settings: set KIE_API_KEY or KIE_API_KEY_FILE in .env, see .env.example"},
		"empty file":        {[]string{"CODEC_KEYS_FILE=" + empty}, "settings: CODEC_KEYS_FILE: the file is empty: write the secret into it, or unset the variable"},
		"variable and file": {[]string{"POSTGRES_PASSWORD=p"}, "settings: POSTGRES_PASSWORD and POSTGRES_PASSWORD_FILE are both set: unset one of them"},
		"codec key":         {[]string{"CODEC_KEYS_FILE=", "CODEC_KEYS=main:" + stackSecrets["codec_keys"][5:45]}, "settings: CODEC_KEYS: key 1 has 30 bytes but needs 32"},
	} {
		t.Run(name, func(t *testing.T) {
			other := &stack{t: t, tool: s.tool, env: slices.Concat(s.env, test.settings, []string{"COMPOSE_PROJECT_NAME=" + s.setting("COMPOSE_PROJECT_NAME") + "-bad"})}
			defer other.compose("down", "--volumes")
			_, err := other.tryCompose(t.Context(), "up", "-d", "schema")
			require.Error(t, err)
			if strings.HasPrefix(test.want, "settings") {
				assert.Contains(t, other.compose("logs", "--no-log-prefix", "settings"), test.want)
				for _, container := range other.containers("postgres") {
					assert.Equal(t, "created", other.inspect(container, "{{.State.Status}}"), "PostgreSQL has started")
				}
			} else {
				require.ErrorContains(t, err, test.want)
			}
		})
	}
}

// secretHolders compares the mounted secrets of each container with holders, and
// requires that no configuration of a container has the value of one.
func (s *stack) secretHolders(t *testing.T) {
	s = s.in(t)
	for service, held := range holders {
		container := s.containers(service)[0]
		var mounted []string
		for line := range strings.Lines(s.inspect(container, `{{range .Mounts}}{{.Source}} {{.Destination}}{{"\n"}}{{end}}`)) {
			source, target, _ := strings.Cut(strings.TrimSpace(line), " ")
			if name, ok := strings.CutPrefix(target, "/run/secrets/"); ok && source != "/dev/null" {
				mounted = append(mounted, name)
			}
		}
		held = slices.DeleteFunc(slices.Clone(held), func(name string) bool { return stackSecrets[name] == "" })
		assert.ElementsMatch(t, held, mounted, service)
		environment := s.inspect(container, "{{json .Config}}")
		for name, value := range stackSecrets {
			assert.NotContains(t, environment, value, "%s of %s", name, service)
		}
	}
}

// confinement reads what the kernel enforces for the main process of each container.
func (s *stack) confinement(t *testing.T) {
	s = s.in(t)
	for service := range reachable {
		container := s.containers(service)[0]
		assert.Regexp(t, `^true \d{9,} \d{3} 1000000000 json-file 3$`, s.inspect(container,
			`{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.Memory}} {{.HostConfig.PidsLimit}} {{.HostConfig.NanoCpus}} {{.HostConfig.LogConfig.Type}} {{index .HostConfig.LogConfig.Config "max-file"}}`), service)
		status := s.docker("run", "--rm", "--pid", "container:"+container, "--entrypoint", "cat", s.imageOf("TEMPORAL_ADMIN_TOOLS_IMAGE"), "/proc/1/status")
		for _, line := range []string{`Uid:\s+[1-9]\d*\s`, `CapEff:\s+0+\n`, `CapBnd:\s+0+\n`, `NoNewPrivs:\s+1\n`} {
			assert.Regexp(t, line, status, service)
		}
	}
}

// readOnlyUI sends the requests of the UI's buttons to the UI server.
func (s *stack) readOnlyUI(t *testing.T) {
	s = s.in(t)
	base := "http://127.0.0.1:" + s.setting("UI_PORT") + "/api/v1/"
	// The cross-site protection compares a cookie with a header: it stops pages of
	// other sites, not other programs.
	const token = "0123456789abcdef0123456789abcdef"
	send := func(method, path string) (int, string) {
		request, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader("{}"))
		require.NoError(t, err)
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("X-CSRF-Token", token)
		request.AddCookie(&http.Cookie{Name: "_csrf", Value: token})
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
		require.NoError(t, err)
		return response.StatusCode, string(body)
	}
	const job = "namespaces/lumaflow/workflows/demo-plain"
	_, body := send(http.MethodGet, "settings")
	var settings map[string]any
	require.NoError(t, json.Unmarshal([]byte(body), &settings))
	for _, name := range []string{"DisableWriteActions", "WorkflowResetDisabled", "WorkflowTerminateDisabled", "BatchActionsDisabled", "StartWorkflowDisabled", "ActivityCommandsDisabled"} {
		assert.Equal(t, true, settings[name], name)
	}
	status, body := send(http.MethodGet, job)
	assert.Equal(t, http.StatusOK, status, body)
	for _, action := range []string{job + "/reset", job + "/terminate", job + "/cancel", job + "/signal/callback", job + "/update/resolve", job,
		"namespaces/lumaflow/batch-operations/b", "namespaces/lumaflow/workflows/new", "namespaces/lumaflow/activities/complete"} {
		status, body := send(http.MethodPost, action)
		assert.Equal(t, http.StatusMethodNotAllowed, status, "%s: %s", action, body)
	}
	status, _ = send(http.MethodDelete, "namespaces/lumaflow")
	assert.Equal(t, http.StatusMethodNotAllowed, status)
}

// Each network of the file is used, and what is internal stays so.
func TestNetworks(t *testing.T) {
	t.Parallel()
	file := content(t, "docker-compose.yml")
	_, networks, _ := strings.Cut(file, "\nnetworks:\n")
	networks, _, _ = strings.Cut(networks, "\nsecrets:\n")
	internal := regexp.MustCompile(`(?m)^  ([a-z-]+):\n    internal: true$`).FindAllStringSubmatch(networks, -1)
	var names []string
	for _, found := range internal {
		names = append(names, found[1])
	}
	assert.ElementsMatch(t, []string{"database", "temporal", "ui", "lumaflow", "dashboards"}, names)
	for name, s := range services(t) {
		if len(s.Ports) == 0 && !strings.HasPrefix(name, "worker") {
			for _, network := range s.Networks {
				assert.Contains(t, names, network, "%s has a way out", name)
			}
		}
	}
}
