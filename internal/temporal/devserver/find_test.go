//go:build unix

package devserver_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"lumaflow/internal/temporal/devserver"
)

// machine is an environment without the programs of the real machine.
type machine struct {
	t              *testing.T
	path, tmp, src string
	built          string // the path of Find's own build
}

func newMachine(t *testing.T) machine {
	t.Helper()
	home := t.TempDir()
	m := machine{
		t:    t,
		path: filepath.Join(home, "bin"),
		tmp:  filepath.Join(home, "tmp"),
		src:  filepath.Join(home, "src"),
	}
	for _, folder := range []string{m.path, m.tmp, m.src} {
		require.NoError(t, os.Mkdir(folder, 0o700))
	}
	t.Setenv("HOME", home)
	t.Setenv("XDG_CACHE_HOME", filepath.Join(home, "cache"))
	t.Setenv("TMPDIR", m.tmp)
	t.Setenv("PATH", m.path)
	t.Setenv("TEMPORAL_CLI", "")
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	m.built = filepath.Join(cache, "lumaflow", "temporal-"+devserver.Version)
	return m
}

func (m machine) downloaded() string {
	return filepath.Join(m.tmp, "temporal-cli-go-sdk-"+temporal.SDKVersion)
}

func (m machine) program(path, script string) string {
	m.t.Helper()
	require.NoError(m.t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(m.t, os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o700))
	return path
}

// sources adds lumaflow's source folder.
func (m machine) sources() {
	m.t.Helper()
	require.NoError(m.t, os.Mkdir(filepath.Join(m.src, "tools"), 0o700))
	require.NoError(m.t, os.WriteFile(filepath.Join(m.src, "tools", "go.mod"), []byte("module lumaflow/tools\n"), 0o600))
}

// goTool adds a go command whose build runs the script, with the output file in $out
// and the real machine's tools on its PATH.
func (m machine) goTool(build string) {
	m.t.Helper()
	m.program(filepath.Join(m.path, "go"), fmt.Sprintf(`PATH=/usr/bin:/bin
src='%s'
case "$1" in
env)
	echo "$src/go.mod" ;;
build)
	out=$4
	echo "$PWD $CGO_ENABLED $GOWORK $*" >>"$src/builds"
%s
	;;
esac
`, m.src, build))
}

func (m machine) builds() []string {
	content, err := os.ReadFile(filepath.Join(m.src, "builds"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	require.NoError(m.t, err)
	return strings.Split(strings.TrimSpace(string(content)), "\n")
}

const goodBuild = `	printf '#!/bin/sh\n' >"$out" && chmod +x "$out"`

// lines collects output and calls a function once when it contains a text.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
	on   map[string]func()
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(p)
	for text, call := range l.on {
		if strings.Contains(l.text.String(), text) {
			delete(l.on, text)
			call()
		}
	}
	return len(p), nil
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestFindOrder(t *testing.T) {
	places := []string{"TEMPORAL_CLI", "PATH", "our build", "SDK download", "new build"}
	for missing := range len(places) {
		t.Run("without "+strings.Join(places[:missing], ", "), func(t *testing.T) {
			m := newMachine(t)
			m.sources()
			m.goTool(goodBuild)
			var want string
			for i := len(places) - 1; i >= missing; i-- {
				switch places[i] {
				case "TEMPORAL_CLI":
					want = m.program(filepath.Join(t.TempDir(), "my temporal"), "")
					t.Setenv("TEMPORAL_CLI", want)
				case "PATH":
					want = m.program(filepath.Join(m.path, "temporal"), "")
				case "our build":
					want = m.program(m.built, "")
				case "SDK download":
					want = m.program(m.downloaded(), "")
				case "new build":
					want = m.built
				}
			}

			progress := &lines{}
			path, err := devserver.Find(t.Context(), progress)
			require.NoError(t, err)
			assert.Equal(t, want, path)
			if places[missing] == "new build" {
				assert.Len(t, m.builds(), 1)
			} else {
				assert.Empty(t, m.builds())
				assert.Empty(t, progress.String())
			}
		})
	}
}

func TestFindErrors(t *testing.T) {
	cases := map[string]struct {
		set  func(m machine)
		want string
	}{
		"TEMPORAL_CLI does not exist": {
			func(m machine) {
				m.program(filepath.Join(m.path, "temporal"), "")
				m.t.Setenv("TEMPORAL_CLI", "/nowhere/temporal")
			},
			"TEMPORAL_CLI=/nowhere/temporal is not an executable program",
		},
		"TEMPORAL_CLI is a folder": {
			func(m machine) { m.t.Setenv("TEMPORAL_CLI", m.path) },
			"/bin is not an executable program",
		},
		"TEMPORAL_CLI is not executable": {
			func(m machine) {
				require.NoError(m.t, os.WriteFile(filepath.Join(m.tmp, "plain"), nil, 0o600))
				m.t.Setenv("TEMPORAL_CLI", filepath.Join(m.tmp, "plain"))
			},
			"plain is not an executable program",
		},
		"no Go": {
			func(m machine) {},
			"neither Temporal's CLI nor Go to build it on this machine: install it (https://docs.temporal.io/cli)",
		},
		"Go outside lumaflow's sources": {
			func(m machine) { m.goTool(goodBuild) },
			"there is no Temporal CLI on this machine: install it (https://docs.temporal.io/cli)",
		},
		"another module with a tools folder": {
			func(m machine) {
				m.sources()
				require.NoError(m.t, os.WriteFile(filepath.Join(m.src, "tools", "go.mod"), []byte("module other/tools\n"), 0o600))
				m.goTool(goodBuild)
			},
			"there is no Temporal CLI on this machine",
		},
		"a build that fails": {
			func(m machine) {
				m.sources()
				m.goTool("\techo 'go: downloading'; echo 'dial tcp: no such host' >&2; exit 1")
			},
			"build Temporal's CLI: exit status 1: dial tcp: no such host",
		},
		"no home": {
			func(m machine) {
				m.t.Setenv("HOME", "")
				m.t.Setenv("XDG_CACHE_HOME", "")
			},
			"set HOME, or TEMPORAL_CLI to the temporal binary",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			c.set(m)
			path, err := devserver.Find(t.Context(), nil)
			require.ErrorContains(t, err, c.want)
			assert.NotContains(t, err.Error(), "\n")
			assert.Empty(t, path)
			assert.NoFileExists(t, m.built)
			assertNothingUnfinished(t, m)
		})
	}
}

func TestFindIgnoresAnUntrustedDownload(t *testing.T) {
	m := newMachine(t)
	m.program(m.downloaded(), "")
	require.NoError(t, os.Chmod(m.downloaded(), 0o777))
	_, err := devserver.Find(t.Context(), nil)
	require.ErrorContains(t, err, "neither Temporal's CLI nor Go")
}

func TestFindBuildsOnce(t *testing.T) {
	m := newMachine(t)
	m.sources()
	m.goTool(goodBuild)
	stale := m.built + ".unfinished-1"
	m.program(stale, "")
	long := time.Now().Add(-24 * time.Hour)
	require.NoError(t, os.Chtimes(stale, long, long))

	progress := &lines{}
	for range 2 {
		path, err := devserver.Find(t.Context(), progress)
		require.NoError(t, err)
		assert.Equal(t, m.built, path)
	}
	builds := m.builds()
	require.Len(t, builds, 1)
	assert.Regexp(t, "^"+m.src+` 0 off build -modfile=tools/go\.mod -o \S+ github\.com/temporalio/cli/cmd/temporal$`, builds[0])
	assert.Regexp(t, `^building the Temporal dev server: once, 4 to 5 minutes on two cores.*\nbuilt \S+ in \d+s\n$`, progress.String())
	assertNothingUnfinished(t, m)
}

func TestFindReportsProgress(t *testing.T) {
	devserver.SetProgressInterval(t, time.Millisecond)
	m := newMachine(t)
	m.sources()
	gate := filepath.Join(m.tmp, "gate")
	m.goTool(awaitGate(gate) + goodBuild)
	progress := &lines{on: map[string]func(){
		"still building the Temporal dev server (": func() { openGate(t, gate) },
	}}
	_, err := devserver.Find(t.Context(), progress)
	require.NoError(t, err)
}

func TestConcurrentFindsShareABuild(t *testing.T) {
	m := newMachine(t)
	m.sources()
	gate := filepath.Join(m.tmp, "gate")
	m.goTool(awaitGate(gate) + goodBuild)

	// The second Find opens the gate for the build of the first.
	progress := &lines{on: map[string]func(){
		"another process is building": func() { openGate(t, gate) },
	}}
	var finds sync.WaitGroup
	for range 2 {
		finds.Go(func() {
			path, err := devserver.Find(t.Context(), progress)
			if assert.NoError(t, err) {
				assert.Equal(t, m.built, path)
			}
		})
	}
	finds.Wait()
	assert.Len(t, m.builds(), 1)
}

func TestFindStopsWithItsContext(t *testing.T) {
	reason := errors.New("cancelled by the test")
	for name, words := range map[string]string{
		"while it builds": "still building",
		"while it waits":  "another process is building",
	} {
		t.Run(name, func(t *testing.T) {
			devserver.SetProgressInterval(t, time.Millisecond)
			m := newMachine(t)
			m.sources()
			m.goTool("\texec sleep 600")
			ctx, cancel := context.WithCancelCause(t.Context())
			progress := &lines{on: map[string]func(){words: func() { cancel(reason) }}}
			var finds sync.WaitGroup
			for range 2 {
				finds.Go(func() {
					_, err := devserver.Find(ctx, progress)
					assert.ErrorIs(t, err, reason)
				})
			}
			finds.Wait()
			assert.NoFileExists(t, m.built)
			assertNothingUnfinished(t, m)
		})
	}
}

func TestVersionMatchesTools(t *testing.T) {
	tools, err := os.ReadFile(filepath.Join("..", "..", "..", "tools", "go.mod"))
	require.NoError(t, err)
	assert.Contains(t, string(tools), "\tgithub.com/temporalio/cli v"+devserver.Version+" ")
	assert.True(t, bytes.HasPrefix(tools, []byte("module lumaflow/tools\n")))
}

func awaitGate(gate string) string {
	return fmt.Sprintf("\twhile [ ! -e '%s' ]; do sleep 0.02; done\n", gate)
}

func openGate(t *testing.T, gate string) {
	assert.NoError(t, os.WriteFile(gate, nil, 0o600))
}

func assertNothingUnfinished(t *testing.T, m machine) {
	t.Helper()
	unfinished, err := filepath.Glob(m.built + ".unfinished-*")
	require.NoError(t, err)
	assert.Empty(t, unfinished)
}
