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
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience bounds every wait for something that ought to happen, building images
// aside.
const patience = 5 * time.Minute

// stack is one project of docker-compose.yml, as deploy/demo.env has it.
type stack struct {
	t    *testing.T
	tool []string
	env  []string
}

// composeTool is `docker compose`, or the older docker-compose. It is empty if
// neither is here.
func composeTool(ctx context.Context) []string {
	for _, tool := range [][]string{{"docker", "compose"}, {"docker-compose"}} {
		if exec.CommandContext(ctx, tool[0], append(tool[1:], "version")...).Run() == nil {
			return tool
		}
	}
	return nil
}

// plainEnvironment is that of the tests without what docker-compose.yml would
// take for a setting, and with the given settings.
func plainEnvironment(t *testing.T, settings ...string) []string {
	t.Helper()
	explained := content(t, ".env.example")
	env := slices.DeleteFunc(os.Environ(), func(setting string) bool {
		name, _, _ := strings.Cut(setting, "=")
		return name != "GOPROXY" && (strings.HasPrefix(name, "COMPOSE_") || regexp.MustCompile(`(?m)^(# )?`+regexp.QuoteMeta(name)+`=`).MatchString(explained))
	})
	return append(env, settings...)
}

// run runs a program in the checkout and returns its standard output.
func (s *stack) run(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = root
	cmd.Env = s.env
	var said bytes.Buffer
	cmd.Stderr = &said
	output, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, output, said.Bytes())
	}
	return strings.TrimSpace(string(output)), err
}

func (s *stack) tryCompose(ctx context.Context, args ...string) (string, error) {
	fixed := []string{"--env-file", "deploy/demo.env", "--profile", "demo", "--profile", "codec"}
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

// lumaflow runs a command in the webhook's container: no worker's end ends it.
func (s *stack) lumaflow(args ...string) (string, error) {
	return s.tryCompose(s.t.Context(), append([]string{"exec", "-T", "webhook", "lumaflow"}, args...)...)
}

// once runs a program of the admin tools in a container of its own.
func (s *stack) once(program string, args ...string) string {
	s.t.Helper()
	return s.compose(append([]string{"run", "--rm", "--no-deps", "-T", "--entrypoint", program, "namespace"}, args...)...)
}

// containers are the ids of a service's containers, ended ones too.
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

// crash ends a container's process as a power cut would, and waits until the
// engine has put the container up again.
func (s *stack) crash(container string) {
	s.t.Helper()
	pid, err := strconv.Atoi(s.inspect(container, "{{.State.Pid}}"))
	require.NoError(s.t, err)
	require.Positive(s.t, pid, "it is not running")
	began := s.inspect(container, "{{.State.StartedAt}}")
	process, err := os.FindProcess(pid)
	if err == nil {
		err = process.Kill()
	}
	if err != nil {
		// The engine is on another machine, or its processes are another
		// user's: it kills by itself, and then does not start by itself.
		require.True(s.t, errors.Is(err, os.ErrPermission) || errors.Is(err, os.ErrProcessDone), "%v", err)
		s.docker("kill", container)
		s.docker("start", container)
	}
	s.eventually("the container is up again", func() bool {
		return s.inspect(container, "{{.State.Status}}") == "running" && s.inspect(container, "{{.State.StartedAt}}") != began
	})
}

func (s *stack) eventually(what string, condition func() bool) {
	s.t.Helper()
	for limit := time.Now().Add(patience); !condition(); {
		require.True(s.t, time.Now().Before(limit), "waited %s in vain: %s", patience, what)
		select {
		case <-s.t.Context().Done():
			s.t.FailNow()
		case <-time.After(300 * time.Millisecond):
		}
	}
}

// freePort is one that nobody listens on just now.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	return port
}

// bare is a text with everything quoted in it that is base64 decoded.
func bare(text string) string {
	return regexp.MustCompile(`"[A-Za-z0-9+/]+=*"`).ReplaceAllStringFunc(text, func(quoted string) string {
		decoded, err := base64.StdEncoding.DecodeString(strings.Trim(quoted, `"`))
		if err != nil {
			return quoted
		}
		return string(decoded)
	})
}

// lastLine is the last thing said, for a reason.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// follow runs a program for its effect and shows what it says as it goes, for
// steps that take minutes.
func (s *stack) follow(name string, args ...string) error {
	cmd := exec.CommandContext(s.t.Context(), name, args...)
	cmd.Dir = root
	cmd.Env = s.env
	var said bytes.Buffer
	cmd.Stdout = io.MultiWriter(os.Stderr, &said)
	cmd.Stderr = cmd.Stdout
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, lastLine(said.String()))
	}
	return nil
}
