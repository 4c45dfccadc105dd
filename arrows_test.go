package main_test

import (
	"bytes"
	"encoding/json"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "lumaflow"

// layers are the packages of lumaflow from the bottom up. Arrows point down: a
// package imports only from the layers below its own. Tests may import
// everything, and packages that are all tests are not in the picture.
var layers = [][]string{
	{"internal/media", "internal/stall", "internal/oneline", "internal/retryafter", "internal/callback", "workflows/signals"},
	{"internal/command", "internal/kie", "internal/fetch", "internal/store", "internal/temporal/devserver", "internal/temporal/codec", "internal/command/serving", "internal/telemetry/metrics", "test/supervisor"},
	{"activities", "internal/store/audit", "internal/clip", "internal/temporal/dial", "internal/command/health", "internal/telemetry", "internal/temporal/pollers", "test/metricstest", "test/historyfile", "internal/kie/kietest", "internal/temporal/devserver/find", "internal/store/bucket", "test/s3test"},
	{"workflows", "internal/cli/simulate"},
	{"webhook", "starter", "internal/cli/audit", "internal/cli/replay", "internal/temporal/codecserver"},
	{"internal/cli/jobs", "test/startertest"},
	{"worker/census"},
	{"worker"},
	{"internal/cli/demo", "test/chaos/campaign", "internal/cli/doctor"},
	{".", "test/chaos"},
}

// withoutTemporal are the packages that reach nothing of Temporal's, by
// whatever way.
var withoutTemporal = []string{"internal/oneline", "internal/command", "internal/callback", "internal/kie", "internal/kie/kietest", "internal/media", "internal/stall", "internal/fetch", "internal/store", "internal/store/bucket", "internal/store/audit", "internal/clip", "internal/command/health", "internal/command/serving", "internal/cli/simulate"}

// onlyFor are the packages that are for some others alone.
var onlyFor = map[string][]string{
	"internal/kie/kietest":        {"test/chaos/campaign", "internal/cli/demo", "internal/cli/simulate"},
	"internal/temporal/devserver": {"test/chaos/campaign", "internal/cli/demo", "internal/temporal/devserver/find"},
	"test/chaos/campaign":         {"test/chaos"},
	"internal/cli/demo":           {"."},
	// The clouds' code doubles a program: tests of other packages do without.
	"internal/store/bucket": {"."},
	"test/s3test":           {},
	// For tests alone.
	"test/startertest": {},
	"test/metricstest": {},
	"test/historyfile": {},
}

// undeterministic is what workflows may not import of the standard library: it
// does I/O, or answers differently on replay. url only computes.
func undeterministic(path string) bool {
	if path == "net/url" {
		return false
	}
	first, _, _ := strings.Cut(path, "/")
	return slices.Contains([]string{"net", "os", "log", "database", "syscall"}, first) ||
		slices.Contains([]string{"io/fs", "io/ioutil", "crypto/rand", "math/rand", "math/rand/v2"}, path)
}

// goPackage is what `go list` tells about a package.
type goPackage struct {
	ImportPath    string
	GoFiles       []string
	Imports, Deps []string
}

// name is the package's folder: "." or a path like "internal/kie/kietest".
func (p goPackage) name() string {
	if p.ImportPath == module {
		return "."
	}
	return strings.TrimPrefix(p.ImportPath, module+"/")
}

// own are the names of the packages of this module that p imports.
func (p goPackage) own() []string {
	var names []string
	for _, path := range p.Imports {
		if path == module || strings.HasPrefix(path, module+"/") {
			names = append(names, goPackage{ImportPath: path}.name())
		}
	}
	return names
}

func layerOf(name string) int {
	return slices.IndexFunc(layers, func(layer []string) bool { return slices.Contains(layer, name) })
}

// packages are those with code that is not for tests alone, by name.
func packages(t *testing.T) map[string]goPackage {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,GoFiles,Imports,Deps", "./...").Output()
	require.NoError(t, err, "go list")
	found := map[string]goPackage{}
	for decoder := json.NewDecoder(bytes.NewReader(output)); ; {
		var p goPackage
		err := decoder.Decode(&p)
		if err == io.EOF {
			return found
		}
		require.NoError(t, err, "go list")
		if len(p.GoFiles) > 0 {
			found[p.name()] = p
		}
	}
}

func TestEveryPackageHasItsPlace(t *testing.T) {
	found := packages(t)
	for name := range found {
		assert.NotEqual(t, -1, layerOf(name), "package %s is new: give it a place in layers", name)
	}
	places := slices.Concat(layers...)
	for i, name := range places {
		assert.Contains(t, found, name, "package %s is gone: take it out of layers", name)
		assert.NotContains(t, places[:i], name, "package %s has two places in layers", name)
	}
	rules := slices.Clone(withoutTemporal)
	for name, importers := range onlyFor {
		rules = append(append(rules, name), importers...)
	}
	for _, name := range rules {
		assert.Contains(t, found, name, "there is a rule for package %s, which is gone", name)
	}
}

func TestArrowsPointDown(t *testing.T) {
	for name, p := range packages(t) {
		for _, imported := range p.own() {
			assert.Less(t, layerOf(imported), layerOf(name), "%s imports %s, which is not in a layer below it", name, imported)
			if importers, some := onlyFor[imported]; some {
				assert.Contains(t, importers, name, "%s imports %s, which is for others", name, imported)
			}
		}
	}
}

func TestPackagesWithoutTemporal(t *testing.T) {
	found := packages(t)
	for _, name := range withoutTemporal {
		for _, path := range found[name].Deps {
			assert.NotRegexp(t, `^(go\.temporal\.io|github\.com/temporalio)/`, path, "%s reaches Temporal", name)
		}
	}
}

// The webhook is open to the internet: it links no code that downloads, stores or
// parses files.
func TestWebhookLinksNoFileHandling(t *testing.T) {
	deps := packages(t)["webhook"].Deps
	for _, path := range []string{module + "/activities", module + "/internal/fetch", module + "/internal/store", module + "/starter", "github.com/abema/go-mp4"} {
		assert.NotContains(t, deps, path)
	}
}

func TestWorkflowsDoNoIO(t *testing.T) {
	p := packages(t)["workflows"]
	assert.Equal(t, []string{"activities", "internal/telemetry/metrics", "workflows/signals"}, p.own(), "what workflows imports of ours")
	for _, path := range p.Imports {
		first, _, _ := strings.Cut(path, "/")
		switch {
		case first == module || strings.HasPrefix(path, "go.temporal.io/"):
		case strings.Contains(first, "."):
			assert.Fail(t, "workflows imports a library other than Temporal's", path)
		default:
			assert.False(t, undeterministic(path), "workflows imports %s: I/O and chance are for activities", path)
		}
	}
}

func TestTheServerIsNoDependency(t *testing.T) {
	output, err := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json").Output()
	require.NoError(t, err, "go mod edit")
	var file struct{ Require []struct{ Path string } }
	require.NoError(t, json.Unmarshal(output, &file))
	require.NotEmpty(t, file.Require)
	for _, required := range file.Require {
		assert.NotContains(t, []string{"go.temporal.io/server", "github.com/temporalio/cli"}, required.Path,
			"go.mod requires what belongs in tools/go.mod")
	}
}
