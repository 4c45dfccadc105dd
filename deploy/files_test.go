// Package deploy_test checks the deployment files: the Dockerfile, docker-compose.yml,
// their settings and the monitoring. Checks that need images are in TestCompose,
// which LUMAFLOW_COMPOSE_TEST=1 enables.
package deploy_test

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// root is the path of the checkout from this package.
const root = ".."

// service has the checked fields of a service in docker-compose.yml.
type service struct {
	Image       string            `yaml:"image"`
	Build       *struct{}         `yaml:"build"`
	Profiles    []string          `yaml:"profiles"`
	Restart     string            `yaml:"restart"`
	Ports       []string          `yaml:"ports"`
	Volumes     []string          `yaml:"volumes"`
	Environment map[string]string `yaml:"environment"`
	Healthcheck *struct {
		Test []string `yaml:"test"`
	} `yaml:"healthcheck"`
	Networks  []string `yaml:"networks"`
	Secrets   []string `yaml:"secrets"`
	MemLimit  string   `yaml:"mem_limit"`
	PidsLimit int      `yaml:"pids_limit"`
	CPUs      float64  `yaml:"cpus"`
	Logging   struct {
		Options map[string]string `yaml:"options"`
	} `yaml:"logging"`
	ReadOnly    bool     `yaml:"read_only"`
	Privileged  bool     `yaml:"privileged"`
	User        string   `yaml:"user"`
	CapDrop     []string `yaml:"cap_drop"`
	CapAdd      []string `yaml:"cap_add"`
	SecurityOpt []string `yaml:"security_opt"`
	NetworkMode string   `yaml:"network_mode"`
	DependsOn   map[string]struct {
		Condition string `yaml:"condition"`
	} `yaml:"depends_on"`
	StopGracePeriod time.Duration `yaml:"stop_grace_period"`
}

func content(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, path))
	require.NoError(t, err)
	return string(content)
}

func services(t *testing.T) map[string]service {
	t.Helper()
	var file struct {
		Services map[string]service `yaml:"services"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(content(t, "docker-compose.yml")), &file))
	require.NotEmpty(t, file.Services)
	return file.Services
}

// reference is a variable in docker-compose.yml, with its default or message.
var reference = regexp.MustCompile(`\$\{(\w+)(:-|:\?|\?)?([^}]*)\}`)

func TestServices(t *testing.T) {
	t.Parallel()
	all := services(t)
	for _, name := range []string{"settings", "postgres", "schema", "temporal", "namespace", "ui", "webhook", "worker-1", "worker-2"} {
		require.Contains(t, all, name)
		assert.Empty(t, all[name].Profiles, "%s has a profile", name)
	}
	for name, profile := range map[string]string{"simulator": "demo", "demo": "demo", "prometheus": "observe", "grafana": "observe", "codec-server": "codec", "gallery": "gallery"} {
		assert.Equal(t, []string{profile}, all[name].Profiles, name)
	}
	once := map[string]string{"settings": "no", "schema": "on-failure:10", "namespace": "on-failure:10", "demo": "no"}
	for name, s := range all {
		assert.Equal(t, cmp.Or(once[name], "unless-stopped"), s.Restart, "restart policy of %s", name)
		assert.False(t, s.Privileged, "%s is privileged", name)
		if name == "settings" {
			assert.Equal(t, "none", s.NetworkMode, name)
		} else {
			assert.Empty(t, s.NetworkMode, name)
			assert.NotEmpty(t, s.Networks, "%s is on the default network", name)
		}
		assert.Empty(t, s.CapAdd, "%s has more capabilities", name)
		assert.NotContains(t, []string{"0", "root"}, s.User, "%s runs as root", name)
		assert.True(t, s.ReadOnly, "the root file system of %s is writable", name)
		assert.Equal(t, []string{"ALL"}, s.CapDrop, name)
		assert.Contains(t, s.SecurityOpt, "no-new-privileges:true", name)
		assert.NotEmpty(t, s.MemLimit, name)
		assert.Positive(t, s.PidsLimit, name)
		assert.InDelta(t, 1, s.CPUs, 0, "%s needs a second CPU, which the machine may lack", name)
		assert.NotEmpty(t, s.Logging.Options["max-size"], "%s does not rotate its log", name)
	}
	for _, name := range []string{"postgres", "temporal", "ui", "simulator", "codec-server", "gallery", "prometheus", "grafana"} {
		require.NotNil(t, all[name].Healthcheck, name)
		assert.Equal(t, "CMD", all[name].Healthcheck.Test[0], "the health check of %s needs a shell", name)
	}
}

func TestPublishedPorts(t *testing.T) {
	t.Parallel()
	published := map[string]string{
		"ui":           "${UI_ADDRESS:-127.0.0.1}:${UI_PORT:-8233}:8080",
		"webhook":      "${WEBHOOK_ADDRESS:-127.0.0.1}:${WEBHOOK_PORT:-8080}:8080",
		"grafana":      "${GRAFANA_ADDRESS:-127.0.0.1}:${GRAFANA_PORT:-3000}:3000",
		"codec-server": "${CODEC_ADDRESS:-127.0.0.1}:${CODEC_PORT:-8081}:8081",
		"gallery":      "${GALLERY_ADDRESS:-127.0.0.1}:${GALLERY_PORT:-8088}:8088",
	}
	for name, s := range services(t) {
		if port, ok := published[name]; ok {
			assert.Equal(t, []string{port}, s.Ports, name)
		} else {
			assert.Empty(t, s.Ports, name)
		}
	}
}

// A service waits for the services that it needs, and its grace period covers its
// drain (worker/worker.go and webhook/serve.go).
func TestStartOrderAndGracePeriods(t *testing.T) {
	t.Parallel()
	const healthy, completed = "service_healthy", "service_completed_successfully"
	all := services(t)
	for name, needs := range map[string]map[string]string{
		"postgres": {"settings": completed}, "schema": {"postgres": healthy}, "temporal": {"schema": completed}, "namespace": {"temporal": healthy},
		"ui": {"namespace": completed}, "webhook": {"namespace": completed}, "worker-1": {"namespace": completed},
		"demo": {"simulator": healthy, "webhook": healthy, "worker-1": healthy, "worker-2": healthy},
	} {
		waits := map[string]string{}
		for other, on := range all[name].DependsOn {
			waits[other] = on.Condition
		}
		assert.Equal(t, needs, waits, name)
	}
	assert.GreaterOrEqual(t, all["worker-1"].StopGracePeriod, 90*time.Second)
	assert.GreaterOrEqual(t, all["webhook"].StopGracePeriod, 35*time.Second)
}

func TestWorkersShareFolders(t *testing.T) {
	t.Parallel()
	all := services(t)
	require.Equal(t, all["worker-1"], all["worker-2"])
	assert.ElementsMatch(t, []string{"work:/work", "${VIDEOS:-videos}:/videos"}, all["worker-1"].Volumes)
	assert.Contains(t, content(t, "Dockerfile"), "WORK_DIR=/work", "partial downloads are not in the volume")
	assert.Equal(t, "${OUTPUT_URL:-/videos}", all["worker-1"].Environment["OUTPUT_URL"])
	assert.Equal(t, []string{"${VIDEOS:-videos}:/videos:ro"}, all["gallery"].Volumes, "the gallery only reads")
	assert.Equal(t, all["worker-1"].Environment["OUTPUT_URL"], all["gallery"].Environment["OUTPUT_URL"])
}

func TestMountedFilesExist(t *testing.T) {
	t.Parallel()
	for name, s := range services(t) {
		for _, volume := range s.Volumes {
			if path, _, _ := strings.Cut(volume, ":"); strings.HasPrefix(path, "./") {
				assert.True(t, strings.HasSuffix(volume, ":ro"), "%s can write to %s", name, path)
				_, err := os.Stat(filepath.Join(root, path))
				assert.NoError(t, err, name)
			}
		}
	}
}

func TestSecretsComeFromOutside(t *testing.T) {
	t.Parallel()
	secret := regexp.MustCompile(`PASSWORD|PWD|SECRET|KEY|TOKEN`)
	for name, s := range services(t) {
		for variable, value := range s.Environment {
			if secret.MatchString(variable) {
				assert.Regexp(t, `^(\$\{\w+(:-|_FILE:\+/run/secrets/[a-z0-9_]+)\})?$`, value, "%s: %s", name, variable)
			}
		}
	}
}

func TestDockerfile(t *testing.T) {
	t.Parallel()
	file := content(t, "Dockerfile")
	froms := regexp.MustCompile(`(?m)^FROM (?:--platform=\S+ )?(\S+)`).FindAllStringSubmatch(file, -1)
	require.Len(t, froms, 2, "build stage and final stage")
	for _, from := range froms {
		assert.Regexp(t, `^\$\{\w+_IMAGE\}$`, from[1], "a base image is not a build argument")
	}
	assert.Contains(t, file, "ARG BASE_IMAGE=scratch\n", "the final image has a base")
	assert.Contains(t, file, "ARG GO_IMAGE="+defaultOf(t, "GO_IMAGE")+"\n", "docker-compose.yml has another base")
	final := file[strings.LastIndex(file, "\nFROM "):]
	assert.NotRegexp(t, `(?m)^RUN `, final)
	assert.Regexp(t, `(?m)^USER [1-9]\d*:[1-9]\d*$`, final, "USER must be numeric, for Kubernetes' runAsNonRoot")
	assert.Contains(t, final, "/etc/ssl/certs/ca-certificates.crt", "the image has no CA certificates")
	assert.Regexp(t, `(?m)^ENTRYPOINT \["/usr/local/bin/lumaflow"\]$`, final)
	assert.Regexp(t, `(?s)HEALTHCHECK .*CMD \["/usr/local/bin/lumaflow", "health", `, final)
	assert.Contains(t, file, "CGO_ENABLED=0", "the binary is not static")
	assert.Contains(t, file, "--mount=type=cache,")

	ignored := strings.Split(content(t, ".dockerignore"), "\n")
	for _, path := range []string{".env", ".git", "callback.secret"} {
		assert.Contains(t, ignored, path, "the build context includes a secret")
	}
}

// TestStamp builds with the Dockerfile's flags and checks --version.
func TestStamp(t *testing.T) {
	if testing.Short() {
		t.Skip("links a binary")
	}
	t.Parallel()
	flags := regexp.MustCompile(`-ldflags "([^"]*)"`).FindStringSubmatch(content(t, "Dockerfile"))
	require.NotNil(t, flags)
	binary := filepath.Join(t.TempDir(), "lumaflow")
	stamp := strings.NewReplacer("$VERSION", "v1.2.3", "$REVISION", "0123456789abcdef0123456789abcdef01234567").Replace(flags[1])
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-ldflags", stamp, "-o", binary, "lumaflow")
	output, err := build.CombinedOutput()
	require.NoError(t, err, "%s", output)
	version, err := exec.CommandContext(t.Context(), binary, "--version").Output()
	require.NoError(t, err)
	assert.Equal(t, "v1.2.3 (revision 0123456789ab)\n", string(version))
}

// The demo's script submits nothing if the workers use another kie.ai than the
// simulated one.
func TestDemoSubmitsNoPaidJobs(t *testing.T) {
	t.Parallel()
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no POSIX shell")
	}
	folder := t.TempDir()
	called := filepath.Join(folder, "called")
	fake := "#!" + shell + "\necho \"$@\" >>" + called + "\n"
	for _, name := range []string{"temporal", "wget"} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(fake), 0o755))
	}
	run := func(base string) (string, error) {
		script := exec.CommandContext(t.Context(), shell, filepath.Join(root, "deploy", "compose", "demo.sh"))
		script.Env = append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"), "TASK_QUEUE=lumaflow", "KIE_BASE_URL="+base)
		output, err := script.CombinedOutput()
		return string(output), err
	}
	for _, base := range []string{"https://api.kie.ai", "http://simulator.example.org", ""} {
		output, err := run(base)
		require.Error(t, err, base)
		assert.Contains(t, output, "none is submitted")
		assert.NoFileExists(t, called, base)
	}
	output, err := run("http://simulator:8090")
	require.NoError(t, err, output)
	calls, err := os.ReadFile(called)
	require.NoError(t, err)
	assert.Equal(t, 5, strings.Count(string(calls), "workflow start"))
}

func TestScriptsParse(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash")
	}
	scripts, err := filepath.Glob("*/*.sh")
	require.NoError(t, err)
	for _, script := range slices.Concat(scripts, []string{"local-images/build"}) {
		output, err := exec.CommandContext(t.Context(), bash, "-n", script).CombinedOutput()
		assert.NoError(t, err, "%s: %s", script, output)
	}
}
