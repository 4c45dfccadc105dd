package deploy_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// waitTimeout bounds every wait, except for the build of images.
const waitTimeout = 5 * time.Minute

// stack is a project of docker-compose.yml with the settings of deploy/demo.env.
type stack struct {
	t    *testing.T
	tool []string
	env  []string
}

// composeTool returns `docker compose`, nil if it is not installed. The older
// docker-compose does not understand docker-compose.yml.
func composeTool(ctx context.Context) []string {
	if exec.CommandContext(ctx, "docker", "compose", "version").Run() != nil {
		return nil
	}
	return []string{"docker", "compose"}
}

// plainEnvironment returns the environment of the test without the variables of
// docker-compose.yml, plus the given settings.
func plainEnvironment(t *testing.T, settings ...string) []string {
	t.Helper()
	documented := content(t, ".env.example")
	env := slices.DeleteFunc(os.Environ(), func(setting string) bool {
		name, _, _ := strings.Cut(setting, "=")
		return name != "GOPROXY" && (strings.HasPrefix(name, "COMPOSE_") || regexp.MustCompile(`(?m)^(# )?`+regexp.QuoteMeta(name)+`=`).MatchString(documented))
	})
	return append(env, settings...)
}

// run runs a program in the checkout and returns its trimmed standard output.
func (s *stack) run(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = root
	cmd.Env = s.env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, output, stderr.Bytes())
	}
	return strings.TrimSpace(string(output)), err
}

func (s *stack) tryCompose(ctx context.Context, args ...string) (string, error) {
	fixed := []string{"--env-file", "deploy/demo.env", "--profile", "demo", "--profile", "codec", "--profile", "gallery"}
	return s.run(ctx, s.tool[0], append(append(s.tool[1:len(s.tool):len(s.tool)], fixed...), args...)...)
}

func (s *stack) compose(args ...string) string {
	s.t.Helper()
	output, err := s.tryCompose(s.t.Context(), args...)
	require.NoError(s.t, err)
	return output
}

func (s *stack) docker(args ...string) string {
	s.t.Helper()
	output, err := s.run(s.t.Context(), "docker", args...)
	require.NoError(s.t, err)
	return output
}

// lumaflow runs a command in the webhook's container, which no test kills.
func (s *stack) lumaflow(args ...string) (string, error) {
	return s.tryCompose(s.t.Context(), append([]string{"exec", "-T", "webhook", "lumaflow"}, args...)...)
}

// once runs a program of the admin tools in a container with the networks of the
// demo: Temporal's, and that of webhook, workers, simulator and Prometheus.
func (s *stack) once(program string, args ...string) string {
	s.t.Helper()
	return s.compose(append([]string{"run", "--rm", "--no-deps", "-T", "--entrypoint", program, "demo"}, args...)...)
}

// setting returns a variable of the stack.
func (s *stack) setting(variable string) string {
	s.t.Helper()
	i := slices.IndexFunc(s.env, func(setting string) bool { return strings.HasPrefix(setting, variable+"=") })
	require.GreaterOrEqual(s.t, i, 0, variable)
	return strings.TrimPrefix(s.env[i], variable+"=")
}

// secretFiles writes the secrets of the stack to files that every user may read, in
// a folder of the user of the test, and returns the variables with their paths.
func secretFiles(t *testing.T) []string {
	t.Helper()
	folder := t.TempDir()
	var settings []string
	for name, value := range stackSecrets {
		path := filepath.Join(folder, name)
		writeFile(t, path, value+"\n")
		require.NoError(t, os.Chmod(path, 0o444))
		variable := strings.ToUpper(name)
		settings = append(settings, variable+"=", variable+"_FILE="+path)
	}
	return settings
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
}

// containers returns the ids of a service's containers, including exited ones.
func (s *stack) containers(service string) []string {
	s.t.Helper()
	return strings.Fields(s.compose("ps", "-a", "-q", service))
}

func (s *stack) inspect(container, format string) string {
	s.t.Helper()
	return s.docker("inspect", "--format", format, container)
}

func (s *stack) healthy(container string) bool {
	return s.inspect(container, "{{.State.Status}} {{.State.Health.Status}}") == "running healthy"
}

// crash kills a container's process and waits until the engine has restarted the
// container.
func (s *stack) crash(container string) {
	s.t.Helper()
	pid, err := strconv.Atoi(s.inspect(container, "{{.State.Pid}}"))
	require.NoError(s.t, err)
	require.Positive(s.t, pid, "the container is not running")
	began := s.inspect(container, "{{.State.StartedAt}}")
	process, err := os.FindProcess(pid)
	if err == nil {
		err = process.Kill()
	}
	if err != nil {
		// The process is on another machine or belongs to another user. After
		// `docker kill` the engine does not restart the container.
		require.True(s.t, errors.Is(err, os.ErrPermission) || errors.Is(err, os.ErrProcessDone), "%v", err)
		s.docker("kill", container)
		s.docker("start", container)
	}
	s.eventually("the container is running", func() bool {
		return s.inspect(container, "{{.State.Status}}") == "running" && s.inspect(container, "{{.State.StartedAt}}") != began
	})
}

func (s *stack) eventually(what string, condition func() bool) {
	s.t.Helper()
	for limit := time.Now().Add(waitTimeout); !condition(); {
		require.True(s.t, time.Now().Before(limit), "not after %s: %s", waitTimeout, what)
		select {
		case <-s.t.Context().Done():
			s.t.FailNow()
		case <-time.After(300 * time.Millisecond):
		}
	}
}

// freePort returns a port without a listener.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	return port
}

// decodeBase64 decodes every base64 string in a JSON text.
func decodeBase64(text string) string {
	return regexp.MustCompile(`"[A-Za-z0-9+/]+=*"`).ReplaceAllStringFunc(text, func(quoted string) string {
		decoded, err := base64.StdEncoding.DecodeString(strings.Trim(quoted, `"`))
		if err != nil {
			return quoted
		}
		return string(decoded)
	})
}

// lastLine returns the last line of an output.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// follow runs a program that takes minutes, copies its output to stderr, and returns
// its standard output.
func (s *stack) follow(name string, args ...string) (string, error) {
	cmd := exec.CommandContext(s.t.Context(), name, args...)
	cmd.Dir = root
	cmd.Env = s.env
	var stdout, stderr bytes.Buffer
	cmd.Stdout = io.MultiWriter(os.Stderr, &stdout)
	cmd.Stderr = io.MultiWriter(os.Stderr, &stderr)
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", name, err, lastLine(stderr.String()))
	}
	return stdout.String(), nil
}
