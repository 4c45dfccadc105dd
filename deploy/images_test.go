package deploy_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// defaultOf returns the default of a variable of docker-compose.yml.
func defaultOf(t *testing.T, variable string) string {
	t.Helper()
	for _, found := range reference.FindAllStringSubmatch(content(t, "docker-compose.yml"), -1) {
		if found[1] == variable && found[2] == ":-" {
			return found[3]
		}
	}
	require.Fail(t, "no default", variable)
	return ""
}

// standIns returns the variables of the images that deploy/local-images/build builds:
// all but lumaflow's own and Grafana's.
func standIns(t *testing.T) []string {
	t.Helper()
	variables := map[string]bool{}
	for _, found := range reference.FindAllStringSubmatch(content(t, "docker-compose.yml"), -1) {
		if strings.HasSuffix(found[1], "_IMAGE") && !slices.Contains([]string{"LUMAFLOW_IMAGE", "BASE_IMAGE", "GRAFANA_IMAGE"}, found[1]) {
			variables[found[1]] = true
		}
	}
	require.NotEmpty(t, variables)
	return slices.Sorted(maps.Keys(variables))
}

// imageOf returns the image that a variable selects for the stack.
func (s *stack) imageOf(variable string) string {
	s.t.Helper()
	for _, setting := range s.env {
		if image, ok := strings.CutPrefix(setting, variable+"="); ok {
			return image
		}
	}
	return defaultOf(s.t, variable)
}

// ensureImages pulls missing images. If one can't be pulled it builds the stand-ins and
// selects them, and skips the test if that fails, too.
func (s *stack) ensureImages() {
	s.t.Helper()
	present := func(image string) bool {
		_, err := s.run(s.t.Context(), "docker", "image", "inspect", image)
		return err == nil
	}
	missing := func(variable string) bool {
		image := defaultOf(s.t, variable)
		if present(image) {
			return false
		}
		_, err := s.run(s.t.Context(), "docker", "pull", "--quiet", image)
		return err != nil
	}
	variables := standIns(s.t)
	if !slices.ContainsFunc(variables, missing) {
		return
	}
	settings, err := s.follow("deploy/local-images/build")
	if err != nil {
		s.t.Skipf("images can neither be pulled nor built: %v", err)
	}
	s.env = append(s.env, strings.Fields(settings)...)
	for _, variable := range variables {
		require.True(s.t, present(s.imageOf(variable)), "deploy/local-images/build did not build %s", s.imageOf(variable))
	}
}

// badDigests starts the stack with an image of PostgreSQL whose digest is malformed or
// not that of the image. Docker refuses it although the tag exists on the machine.
func (s *stack) badDigests(t *testing.T) {
	s = s.in(t)
	tag, _, _ := strings.Cut(s.imageOf("POSTGRES_IMAGE"), "@")
	project := s.setting("COMPOSE_PROJECT_NAME") + "-bad"
	settings := slices.DeleteFunc(slices.Clone(s.env), func(setting string) bool { return strings.HasPrefix(setting, "POSTGRES_IMAGE=") })
	for digest, want := range map[string]string{
		"sha256:0123":                       tag + "@sha256:0123: invalid reference format",
		"sha256:" + strings.Repeat("0", 64): "Error",
	} {
		other := &stack{t: t, tool: s.tool, env: slices.Concat(settings, []string{"COMPOSE_PROJECT_NAME=" + project, "POSTGRES_IMAGE=" + tag + "@" + digest})}
		_, err := other.tryCompose(t.Context(), "up", "-d")
		require.Error(t, err, digest)
		assert.Contains(t, lastLine(err.Error()), want)
		created := []string{"--all", "--quiet", "--filter", "label=com.docker.compose.project=" + project}
		assert.Empty(t, s.docker(append([]string{"ps"}, created...)...), digest)
	}
}

func TestImagesArePinned(t *testing.T) {
	t.Parallel()
	pinned := regexp.MustCompile(`^\$\{[A-Z_]+_IMAGE:-[a-z/-]+:v?\d+\.\d+[.\w-]*@sha256:[0-9a-f]{64}\}$`)
	for name, s := range services(t) {
		if s.Build != nil {
			assert.Equal(t, "${LUMAFLOW_IMAGE:-lumaflow:local}", s.Image, name)
			continue
		}
		assert.Regexp(t, pinned, s.Image, name)
	}
	assert.Regexp(t, `^golang:1\.\d+-\w+@sha256:[0-9a-f]{64}$`, defaultOf(t, "GO_IMAGE"))
}

// runTool runs a script in a copy of its checkout, with fakes of the programs that it calls.
func runTool(t *testing.T, folder, tool string, fakes map[string]string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	programs := t.TempDir()
	for name, script := range fakes {
		require.NoError(t, os.WriteFile(filepath.Join(programs, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700))
	}
	command := exec.CommandContext(t.Context(), filepath.Join(folder, tool), args...)
	command.Env = plainEnvironment(t, "PATH="+programs+":"+os.Getenv("PATH"))
	var errors strings.Builder
	command.Stderr = &errors
	output, err := command.Output()
	if err != nil {
		require.ErrorAs(t, err, new(*exec.ExitError))
	}
	return string(output), errors.String(), command.ProcessState.ExitCode()
}

func TestImageDigests(t *testing.T) {
	t.Parallel()
	const tag, mirrored = "postgres:17.11-bookworm", "golang:1.26-bookworm"
	newer := "sha256:" + strings.Repeat("a", 64)
	files := []string{"Dockerfile", "docker-compose.yml", ".env.example"}
	for name, test := range map[string]struct {
		replace   [2]string
		args      []string
		registry  string // what docker prints
		wantOut   string
		wantError string
		wantCode  int
	}{
		"pinned": {wantOut: "pinned      " + defaultOf(t, "POSTGRES_IMAGE") + "\n"},
		"without a digest": {
			replace: [2]string{defaultOf(t, "POSTGRES_IMAGE"), tag},
			wantOut: "not pinned  " + tag + "\n", wantCode: 1,
		},
		"short digest": {
			replace:   [2]string{defaultOf(t, "POSTGRES_IMAGE"), tag + "@sha256:0123"},
			wantError: "image-digests: " + tag + "@sha256:0123: a digest is sha256: and 64 hexadecimal digits\n", wantCode: 2,
		},
		"short digest of a build argument": {
			replace:   [2]string{"${GO_IMAGE:-" + defaultOf(t, "GO_IMAGE"), "${GO_IMAGE:-" + mirrored + "@sha512:0123"},
			wantError: "image-digests: " + mirrored + "@sha512:0123: a digest is sha256: and 64 hexadecimal digits\n", wantCode: 2,
		},
		"renewal of a short digest": {
			replace: [2]string{defaultOf(t, "POSTGRES_IMAGE"), tag + "@sha256:0123"}, args: []string{"--renew"}, registry: newer,
			wantError: "image-digests: " + tag + "@sha256:0123: a digest is sha256: and 64 hexadecimal digits\n", wantCode: 2,
		},
		"renewal":                {args: []string{"--renew"}, registry: newer, wantOut: tag + "@" + newer + "\n"},
		"renewal without answer": {args: []string{"--renew"}, registry: "<no value>", wantError: `the registry has no digest: \<no\ value\>` + "\n", wantCode: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			require.NoError(t, os.Mkdir(filepath.Join(folder, "tools"), 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(folder, "tools", "image-digests"), []byte(content(t, "tools/image-digests")), 0o700))
			for _, file := range files {
				writeFile(t, filepath.Join(folder, file), strings.ReplaceAll(content(t, file), test.replace[0], test.replace[1]))
			}
			stdout, stderr, code := runTool(t, folder, "tools/image-digests", map[string]string{"docker": "echo '" + test.registry + "'"}, test.args...)
			assert.Equal(t, test.wantCode, code, stderr)
			assert.Contains(t, stdout, test.wantOut)
			assert.True(t, strings.HasSuffix(stderr, test.wantError) && strings.Count(stderr, "\n") == strings.Count(test.wantError, "\n"), stderr)
			for _, file := range files {
				written, err := os.ReadFile(filepath.Join(folder, file))
				require.NoError(t, err)
				digests := regexp.MustCompile(`@(sha256:\w+)`).FindAllStringSubmatch(string(written), -1)
				require.NotEmpty(t, digests)
				for _, digest := range digests {
					assert.Equal(t, test.args != nil && code == 0, digest[1] == newer, "%s: %s", file, digest[0])
				}
			}
		})
	}
}

// The stand-ins have the names and tags of docker-compose.yml without the digests,
// which only the originals have.
func TestStandInNames(t *testing.T) {
	t.Parallel()
	checkout, err := filepath.Abs(root)
	require.NoError(t, err)
	// All images exist and are stand-ins.
	stdout, stderr, code := runTool(t, checkout, "deploy/local-images/build", map[string]string{"docker": "echo true", "go": "exit 1"})
	require.Zero(t, code, stderr)
	var want []string
	for _, variable := range standIns(t) {
		tag, digest, _ := strings.Cut(defaultOf(t, variable), "@")
		require.NotEmpty(t, digest, variable)
		want = append(want, variable+"="+tag)
	}
	assert.ElementsMatch(t, want, strings.Fields(stdout))
}
