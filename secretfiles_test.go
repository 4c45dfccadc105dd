package main_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	main "lumaflow"
	"lumaflow/internal/command"
)

// testKey is 32 bytes in base64.
const testKey = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

// secretFiles is the environment of a command, with contents in place of paths. A
// nil content is a path without a file.
type secretFiles map[string][]byte

// setEnvironment replaces all secrets and their files in the environment of the
// process until the end of the test.
func setEnvironment(t *testing.T, variables map[string]string, files secretFiles) {
	t.Helper()
	parser, err := main.NewParser(t.Context(), command.Streams{Out: io.Discard, Err: io.Discard})
	require.NoError(t, err)
	for _, node := range parser.Model.Leaves(false) {
		for _, variable := range command.SecretVariables(node) {
			t.Setenv(variable, "")
			t.Setenv(variable+"_FILE", "")
		}
	}
	for name, value := range variables {
		t.Setenv(name, value)
	}
	for name, content := range files {
		path := filepath.Join(t.TempDir(), "secret")
		if content != nil {
			require.NoError(t, os.WriteFile(path, content, 0o600))
		}
		t.Setenv(name, path)
	}
}

// Each secret that a command takes comes from its file, and the line break at its
// end is no part of it.
func TestEverySecretFromItsFile(t *testing.T) {
	parser, err := main.NewParser(t.Context(), command.Streams{Out: io.Discard, Err: io.Discard})
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, node := range parser.Model.Leaves(false) {
		for _, variable := range command.SecretVariables(node) {
			seen[variable] = true
			t.Run(node.FullPath()+" "+variable, func(t *testing.T) {
				secret := "secret-" + strings.Repeat("x", 40)
				setEnvironment(t, nil, secretFiles{variable + "_FILE": []byte(secret + "\r\n")})
				fresh, err := main.NewParser(t.Context(), command.Streams{Out: io.Discard, Err: io.Discard})
				require.NoError(t, err)
				args := strings.Fields(strings.TrimPrefix(node.FullPath(), "lumaflow"))
				for _, argument := range node.Positional {
					if argument.Required {
						args = append(args, "1")
					}
				}
				parsed, err := fresh.Parse(args)
				require.NoError(t, err)
				require.Equal(t, secret, os.Getenv(variable))
				for _, flag := range parsed.Selected().Flags {
					if flag.Tag.Has("secret") && flag.Tag.Envs[0] == variable {
						require.Equal(t, secret, flag.Target.String(), "the flag of %s", variable)
					}
				}
			})
		}
	}
	for _, variable := range []string{
		"KIE_API_KEY", "CALLBACK_SECRET", "KIE_WEBHOOK_HMAC_KEY", "CODEC_KEYS", "CODEC_TOKEN", "GALLERY_TOKEN", "TEMPORAL_API_KEY",
		"AWS_SECRET_ACCESS_KEY", "AZURE_STORAGE_KEY", "OTEL_EXPORTER_OTLP_HEADERS", "HTTPS_PROXY", "SIMULATE_API_KEY",
	} {
		require.True(t, seen[variable], variable)
	}
}

// A secret that can't be used ends the command with one line, which has no secret
// and no path, and exit code 2.
func TestBadSecrets(t *testing.T) {
	const secret = "secret-of-the-test"
	tests := map[string]struct {
		command   []string
		variables map[string]string
		files     secretFiles
		want      string
	}{
		"missing file":       {[]string{"worker"}, nil, secretFiles{"KIE_API_KEY_FILE": nil}, "KIE_API_KEY_FILE: the file can't be read: no such file or directory: give the path of a file that this process may read"},
		"folder":             {[]string{"worker"}, map[string]string{"KIE_API_KEY_FILE": os.TempDir()}, nil, "KIE_API_KEY_FILE: the file can't be read: is a directory: give the path of a file that this process may read"},
		"secret as the path": {[]string{"worker"}, map[string]string{"KIE_API_KEY_FILE": secret}, nil, "KIE_API_KEY_FILE: the file can't be read: no such file or directory: give the path of a file that this process may read"},
		"empty file":         {[]string{"webhook"}, nil, secretFiles{"KIE_WEBHOOK_HMAC_KEY_FILE": []byte("")}, "KIE_WEBHOOK_HMAC_KEY_FILE: the file is empty: write the secret into it, or unset the variable"},
		"only a line break":  {[]string{"codec-server"}, nil, secretFiles{"CODEC_TOKEN_FILE": []byte("\n")}, "CODEC_TOKEN_FILE: the file is empty: write the secret into it, or unset the variable"},
		"two lines":          {[]string{"gallery"}, nil, secretFiles{"GALLERY_TOKEN_FILE": []byte(secret + "\n" + secret)}, "GALLERY_TOKEN_FILE: the file holds more than one line, or bytes that are no text: give a text file with one line"},
		"two bytes a letter": {[]string{"submit"}, nil, secretFiles{"TEMPORAL_API_KEY_FILE": []byte("\xff\xfes\x00e\x00")}, "TEMPORAL_API_KEY_FILE: the file holds more than one line, or bytes that are no text: give a text file with one line"},
		"too long":           {[]string{"list"}, nil, secretFiles{"CODEC_KEYS_FILE": []byte(strings.Repeat("x", 64<<10+1))}, "CODEC_KEYS_FILE: the file has more than 65536 bytes: give a file that holds only the secret"},
		"variable and file": {[]string{"worker"}, map[string]string{"KIE_API_KEY": secret}, secretFiles{"KIE_API_KEY_FILE": []byte(secret)},
			"KIE_API_KEY and KIE_API_KEY_FILE are both set: unset one of them"},
		"codec key of 31 bytes": {[]string{"worker"}, map[string]string{"KIE_API_KEY": secret}, secretFiles{"CODEC_KEYS_FILE": []byte("main:" + testKey[:40] + "AA==\n")},
			"CODEC_KEYS: key 1 of 1 has 31 bytes but needs 32"},
		"codec key of 31 bytes, webhook": {[]string{"webhook"}, nil, secretFiles{"CODEC_KEYS_FILE": []byte("main:" + testKey[:40] + "AA=="), "CALLBACK_SECRET_FILE": []byte(testKey)},
			"CODEC_KEYS: key 1 of 1 has 31 bytes but needs 32"},
		"codec key of 31 bytes, codec server": {[]string{"codec-server"}, nil, secretFiles{"CODEC_KEYS_FILE": []byte("main:" + testKey[:40] + "AA==")},
			"CODEC_KEYS: key 1 of 1 has 31 bytes but needs 32"},
		"short callback secret": {[]string{"webhook"}, nil, secretFiles{"CALLBACK_SECRET_FILE": []byte("short\n")}, "CALLBACK_SECRET: secret 1 of 1 has 5 bytes but needs at least 32"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			setEnvironment(t, test.variables, test.files)
			err := main.Run(t.Context(), test.command, command.Streams{Out: io.Discard, Err: io.Discard})
			require.Error(t, err)
			require.Equal(t, command.ExitUsage, command.ExitCode(err))
			require.Contains(t, err.Error(), test.want)
			require.NotContains(t, err.Error(), "\n")
			for _, hidden := range []string{secret, testKey[:40], os.TempDir()} {
				require.NotContains(t, err.Error(), hidden)
			}
		})
	}
}

// A command leaves the secrets of others alone: their files may not be readable for
// its user. Help needs no secret.
func TestForeignSecretFiles(t *testing.T) {
	for _, args := range [][]string{{"webhook"}, {"list"}, {"audit"}} {
		setEnvironment(t, nil, secretFiles{"KIE_API_KEY_FILE": nil})
		parser, err := main.NewParser(t.Context(), command.Streams{Out: io.Discard, Err: io.Discard})
		require.NoError(t, err)
		_, err = parser.Parse(args)
		require.NoError(t, err, args)
	}
	setEnvironment(t, nil, secretFiles{"CODEC_KEYS_FILE": nil})
	parser, err := main.NewParser(t.Context(), command.Streams{Out: io.Discard, Err: io.Discard})
	require.NoError(t, err)
	_, err = parser.Parse([]string{"health", "http://127.0.0.1:1"})
	require.NoError(t, err)
	helped := false
	parser.Exit = func(code int) { helped = code == 0 }
	_, _ = parser.Parse([]string{"worker", "--help"})
	require.True(t, helped)
}
