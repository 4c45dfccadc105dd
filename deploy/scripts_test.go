package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// runScript runs a script of the containers with an environment of its own.
func runScript(t *testing.T, name string, environment ...string) (output string, err error) {
	t.Helper()
	script := exec.CommandContext(t.Context(), "sh", filepath.Join("compose", name))
	script.Env = append([]string{"PATH=" + os.Getenv("PATH")}, environment...)
	combined, err := script.CombinedOutput()
	return strings.TrimSpace(string(combined)), err
}

func TestSettingsScript(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(folder, name)
		writeFile(t, path, content)
		return path
	}
	const key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA-8"
	required := []string{"POSTGRES_PASSWORD=p", "CALLBACK_SECRET=c", "KIE_API_KEY="}
	for name, test := range map[string]struct {
		settings []string
		want     string
	}{
		"environment":      {[]string{"KIE_API_KEY=k"}, "settings: the secrets are usable"},
		"file":             {[]string{"KIE_API_KEY_FILE=" + file("key", "k\n")}, "settings: the secrets are usable"},
		"unset":            {nil, "settings: set KIE_API_KEY or KIE_API_KEY_FILE in .env, see .env.example"},
		"missing":          {[]string{"KIE_API_KEY_FILE=" + folder + "/none"}, "settings: KIE_API_KEY_FILE: user "},
		"empty":            {[]string{"KIE_API_KEY_FILE=" + file("empty", "\n")}, "settings: KIE_API_KEY_FILE: the file is empty: write the secret into it, or unset the variable"},
		"folder":           {[]string{"KIE_API_KEY_FILE=" + folder}, "settings: KIE_API_KEY_FILE: the path is a folder: give the path of a file"},
		"carriage return":  {[]string{"KIE_API_KEY_FILE=" + file("windows", "k\r\n")}, "settings: KIE_API_KEY_FILE: the file has more than one line, or line breaks of Windows: "},
		"two lines":        {[]string{"KIE_API_KEY_FILE=" + file("lines", "k\nk\n")}, "settings: KIE_API_KEY_FILE: the file has more than one line, or line breaks of Windows: "},
		"key without id":   {[]string{"KIE_API_KEY=k", "CODEC_KEYS=" + key}, "settings: CODEC_KEYS: key 1 is not id:key; make one with: echo \"main:$(openssl rand -base64 32)\""},
		"both":             {[]string{"KIE_API_KEY=k", "KIE_API_KEY_FILE=" + file("both", "k")}, "settings: KIE_API_KEY and KIE_API_KEY_FILE are both set: unset one of them"},
		"codec keys":       {[]string{"KIE_API_KEY=k", "CODEC_KEYS=a:" + key + ", b:" + strings.ReplaceAll(key, "-", "+") + "="}, "settings: the secrets are usable"},
		"short codec key":  {[]string{"KIE_API_KEY=k", "CODEC_KEYS=a:" + key + ",b:" + key[:42]}, "settings: CODEC_KEYS: key 2 has 31 bytes but needs 32; make one with: echo \"main:$(openssl rand -base64 32)\""},
		"codec keys, file": {[]string{"KIE_API_KEY=k", "CODEC_KEYS_FILE=" + file("codec", "a:"+key+"AA\n")}, "settings: CODEC_KEYS: key 1 has 33 bytes but needs 32; make one with: echo \"main:$(openssl rand -base64 32)\""},
	} {
		t.Run(name, func(t *testing.T) {
			output, err := runScript(t, "settings.sh", append(slices.Clip(required), test.settings...)...)
			assert.True(t, strings.HasPrefix(output, test.want), output)
			assert.NotContains(t, output, "\n")
			assert.Equal(t, strings.HasSuffix(test.want, "usable"), err == nil)
		})
	}
}

// The first start of Grafana generates a password; given ones are used, and a database
// that exists keeps its own.
func TestGrafanaPassword(t *testing.T) {
	t.Parallel()
	start := filepath.Join(t.TempDir(), "run.sh")
	require.NoError(t, os.WriteFile(start, []byte("#!/bin/sh\necho \"started:${GF_SECURITY_ADMIN_PASSWORD-unset}:${GF_SECURITY_ADMIN_PASSWORD_FILE-unset}\"\n"), 0o700))
	run := func(data string, settings ...string) string {
		output, err := runScript(t, "grafana.sh", append(settings, "GF_PATHS_DATA="+data, "GRAFANA_START="+start)...)
		require.NoError(t, err, output)
		return lastLine(output)
	}
	data := t.TempDir()
	first := run(data, "GF_SECURITY_ADMIN_PASSWORD=")
	assert.Regexp(t, `^started:[A-Za-z0-9+/]{32}:unset$`, first)
	assert.Equal(t, first, run(data), "a second start")
	info, err := os.Stat(filepath.Join(data, "admin-password"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	assert.NotEqual(t, first, run(t.TempDir()))

	given := filepath.Join(t.TempDir(), "password")
	writeFile(t, given, "from a file\n")
	assert.Equal(t, "started:from a file:unset", run(t.TempDir(), "GF_SECURITY_ADMIN_PASSWORD=", "GF_SECURITY_ADMIN_PASSWORD_FILE="+given))
	assert.Equal(t, "started:given:unset", run(t.TempDir(), "GF_SECURITY_ADMIN_PASSWORD=given"))

	older := t.TempDir()
	writeFile(t, filepath.Join(older, "grafana.db"), "")
	assert.Equal(t, "started:unset:unset", run(older, "GF_SECURITY_ADMIN_PASSWORD="))
	assert.NoFileExists(t, filepath.Join(older, "admin-password"))
}
