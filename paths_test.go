package main_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	// quoted is text in backticks, on one line.
	quoted = regexp.MustCompile("`([^`\n]+)`")
	// pathForm is the form of a path inside the repository, with "*" for a part of a
	// name.
	pathForm = regexp.MustCompile(`^\.?\w[\w.*-]*(/[\w.*-]+)*/?$`)
	// sourceFile is the name of a file that only this repository has.
	sourceFile = regexp.MustCompile(`\.(go|yml|md)$`)
)

// The paths that the pages name exist. A file without a folder may be in any folder that the
// same line names before it.
func TestPathsOfThePagesExist(t *testing.T) {
	pages, err := filepath.Glob("docs/*.md")
	require.NoError(t, err)
	checked := 0
	for _, page := range append(pages, "README.md") {
		content, err := os.ReadFile(page)
		require.NoError(t, err)
		for line := range strings.Lines(string(content)) {
			folders := []string{"."}
			for _, match := range quoted.FindAllStringSubmatch(line, -1) {
				path := match[1]
				if info, err := os.Stat(path); err == nil && info.IsDir() {
					folders = append(folders, path)
				}
				if !isRepositoryPath(path) {
					continue
				}
				checked++
				assert.True(t, existsIn(folders, path), "%s names %s", page, path)
			}
		}
	}
	assert.Greater(t, checked, 50)
}

// isRepositoryPath reports whether a text has the form of a path of the repository: it
// begins with a folder of it, or names a source file.
func isRepositoryPath(text string) bool {
	if !pathForm.MatchString(text) {
		return false
	}
	first, _, nested := strings.Cut(text, "/")
	_, err := os.Stat(first)
	return nested && err == nil || sourceFile.MatchString(text)
}

// existsIn reports whether a path, or a pattern, exists below one of the folders.
func existsIn(folders []string, path string) bool {
	for _, folder := range folders {
		if found, err := filepath.Glob(filepath.Join(folder, path)); err == nil && len(found) > 0 {
			return true
		}
	}
	return false
}
