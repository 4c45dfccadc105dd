package main_test

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"

	main "lumaflow"
	"lumaflow/internal/command"
)

const (
	configurationPage = "docs/configuration.md"
	// generatedFrom is the heading at which the generated part of the page begins.
	generatedFrom = "\n## Variables with a flag\n"
)

var update = flag.Bool("update", false, "write "+configurationPage)

// setting is an environment variable as one or more commands read it. Commands
// with another flag, default or help text have a setting of their own.
type setting struct {
	variable, flag, defaultValue, help string
}

// TestConfigurationPage compares docs/configuration.md with the command line's
// definition; -update writes it. The part before generatedFrom is hand-written.
func TestConfigurationPage(t *testing.T) {
	parser, err := main.NewParser(t.Context(), command.Streams{Out: io.Discard, Err: io.Discard})
	require.NoError(t, err)

	written, err := os.ReadFile(configurationPage)
	require.NoError(t, err)
	head, _, found := strings.Cut(string(written), generatedFrom)
	require.True(t, found)
	var page bytes.Buffer
	page.WriteString(head)
	writeVariables(&page, parser.Model.Node)
	writeSecrets(&page, parser.Model.Node)
	writeFlags(&page, parser.Model.Node)

	if *update {
		require.NoError(t, os.WriteFile(configurationPage, page.Bytes(), 0o644))
		return
	}
	require.Equal(t, page.String(), string(written), "run: make docs")
}

// The help of batch names the flags of a run, whose command word is left out.
func TestHelpOfABatch(t *testing.T) {
	parser, err := main.NewParser(t.Context(), command.Streams{Out: io.Discard, Err: io.Discard})
	require.NoError(t, err)
	named := 0
	for _, batch := range parser.Model.Children {
		if batch.Name != "batch" {
			continue
		}
		for _, flag := range batch.DefaultCmd.Flags {
			require.Contains(t, batch.Detail, "--"+flag.Name)
			named++
		}
	}
	require.Greater(t, named, 10)
}

func writeVariables(page io.Writer, root *kong.Node) {
	commands := map[setting][]string{}
	total := map[string]int{}
	visit(root, "", func(name string, value *kong.Value, flag string) {
		for _, variable := range value.Tag.Envs {
			s := setting{variable, flag, value.Default, help(value)}
			commands[s] = append(commands[s], name)
			total[variable]++
		}
	})
	settings := slices.SortedFunc(maps.Keys(commands), func(a, b setting) int {
		return cmp.Or(strings.Compare(a.variable, b.variable), len(commands[b])-len(commands[a]), strings.Compare(a.help, b.help))
	})

	_, _ = fmt.Fprint(page, generatedFrom+"\n| variable | flag or argument | default | commands | meaning |\n|---|---|---|---|---|\n")
	for _, s := range settings {
		slices.Sort(commands[s])
		names := strings.Join(commands[s], ", ")
		if len(commands[s]) > 7 && len(commands[s]) == total[s.variable] {
			names = "all that log"
		}
		_, _ = fmt.Fprintf(page, "| `%s` | `%s` | %s | %s | %s |\n", s.variable, s.flag, code(s.defaultValue), names, s.help)
	}
}

func writeSecrets(page io.Writer, root *kong.Node) {
	secrets := map[string]bool{}
	for _, node := range root.Leaves(false) {
		for _, variable := range command.SecretVariables(node) {
			secrets[variable] = true
		}
	}
	_, _ = fmt.Fprintf(page, "\n## Secrets from files\n\nEach of these variables can be replaced by one with the suffix `_FILE`, the path of a file that holds its value: `%s`.\n",
		strings.Join(slices.Sorted(maps.Keys(secrets)), "`, `"))
}

func writeFlags(page io.Writer, root *kong.Node) {
	_, _ = fmt.Fprint(page, "\n## Flags without a variable\n\n| command | flag or argument | default | meaning |\n|---|---|---|---|\n")
	visit(root, "", func(name string, value *kong.Value, flag string) {
		if len(value.Tag.Envs) == 0 && flag != "--help" && !value.Tag.Hidden {
			_, _ = fmt.Fprintf(page, "| %s | `%s` | %s | %s |\n", name, flag, code(value.Default), help(value))
		}
	})
}

// visit calls each for every flag and argument below node, in the order of the
// command line's definition.
func visit(node *kong.Node, name string, each func(name string, value *kong.Value, flag string)) {
	for _, flag := range node.Flags {
		each(cmp.Or(name, "lumaflow"), flag.Value, "--"+flag.Name)
	}
	for _, argument := range node.Positional {
		each(name, argument, strings.ToUpper(argument.Name))
	}
	for _, child := range node.Children {
		visit(child, strings.TrimSpace(name+" "+child.Name), each)
	}
}

func help(value *kong.Value) string {
	text := strings.ReplaceAll(value.Help, " (${default})", "")
	text = strings.ReplaceAll(text, "("+value.Default+")", "")
	return strings.NewReplacer("|", `\|`, "\n", " ", " .", ".").Replace(text)
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}
