package main_test

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// .golangci.yml has the rules for direct imports. These tests hold the rules that
// a linter of single files cannot check: the packages that a program links.

const (
	temporalSDK = "go.temporal.io/"
	temporalCLI = "github.com/temporalio/"
	mp4Library  = "github.com/abema/go-mp4"
	flagParser  = "github.com/alecthomas/kong"
)

// terminal is the libraries of terminals, for internal/cli alone.
var terminal = []string{"github.com/vbauerster/mpb", "github.com/mattn/go-runewidth", "golang.org/x/term"}

func TestLinkedPackages(t *testing.T) {
	withoutTemporal := []string{temporalSDK, temporalCLI}
	withoutTerminal := func(paths ...string) []string { return slices.Concat(paths, terminal) }
	tests := map[string][]string{
		"./webhook":             withoutTerminal("lumaflow/internal/fetch", "lumaflow/internal/store", "lumaflow/activities", "lumaflow/starter", mp4Library),
		"./worker":              withoutTerminal("lumaflow/internal/cli", "lumaflow/internal/kie/kietest", "lumaflow/webhook"),
		"./starter":             withoutTerminal("lumaflow/internal/cli", "lumaflow/internal/kie/kietest", "lumaflow/webhook", flagParser),
		"./workflows":           withoutTerminal("lumaflow/starter", "lumaflow/webhook", "lumaflow/internal/cli", flagParser),
		"./activities":          withoutTerminal("lumaflow/workflows", "lumaflow/starter", "lumaflow/webhook", "lumaflow/internal/cli"),
		"./internal/callback":   withoutTemporal,
		"./internal/clip":       withoutTerminal(withoutTemporal...),
		"./internal/coding":     withoutTemporal,
		"./internal/command/…":  withoutTerminal(withoutTemporal...),
		"./internal/fetch":      withoutTemporal,
		"./internal/gallery":    withoutTerminal(slices.Concat(withoutTemporal, []string{"lumaflow/internal/kie", "lumaflow/internal/fetch", "lumaflow/internal/command", flagParser})...),
		"./internal/kie/…":      withoutTemporal,
		"./internal/media":      withoutTemporal,
		"./internal/oneline":    withoutTemporal,
		"./internal/proxy":      withoutTemporal,
		"./internal/retryafter": withoutTemporal,
		"./internal/pagecache":  withoutTemporal,
		"./internal/stall":      withoutTemporal,
		"./internal/store/…":    withoutTemporal,
		"./internal/weburl":     withoutTemporal,
	}
	for pattern, forbidden := range tests {
		t.Run(strings.TrimPrefix(pattern, "./"), func(t *testing.T) {
			t.Parallel()
			linked := dependencies(t, strings.ReplaceAll(pattern, "…", "..."))
			for _, path := range linked {
				for _, prefix := range forbidden {
					assert.False(t, strings.HasPrefix(path, prefix), "%s links %s", pattern, path)
				}
			}
		})
	}
}

// dependencies lists the packages that the matching packages link.
func dependencies(t *testing.T, pattern string) []string {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), "go", "list", "-deps", pattern).Output()
	require.NoError(t, err, "go list")
	linked := strings.Fields(string(output))
	require.NotEmpty(t, linked)
	return linked
}

func TestServerIsNoDependency(t *testing.T) {
	output, err := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json").Output()
	require.NoError(t, err, "go mod edit")
	var file struct{ Require []struct{ Path string } }
	require.NoError(t, json.Unmarshal(output, &file))
	require.NotEmpty(t, file.Require)
	for _, required := range file.Require {
		assert.NotContains(t, []string{"go.temporal.io/server", "github.com/temporalio/cli"}, required.Path,
			"go.mod requires a module that belongs in tools/go.mod")
	}
}
