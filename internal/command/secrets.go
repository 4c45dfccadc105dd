package command

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"unicode"

	"github.com/alecthomas/kong"
)

const (
	// SecretsHelp is the paragraph on secrets in the help of each command that takes
	// one.
	SecretsHelp = `Secrets belong in the environment or in files, not in flags: other users of a machine can read the arguments of a process.
Each variable of a secret has one with the suffix _FILE, such as KIE_API_KEY_FILE, for the path of a file that holds it.`
	// fileSuffix is the end of the variable that has the path of a secret's file.
	fileSuffix = "_FILE"
	// maxSecretBytes bounds the file of a secret.
	maxSecretBytes = 64 << 10
	// secretTag marks a flag whose variable is a secret.
	secretTag = "secret"
)

// secretsWithoutFlag are the secrets that the codec and libraries read from the
// environment.
var secretsWithoutFlag = []string{
	"TEMPORAL_API_KEY", "CODEC_KEYS",
	"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
	"AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_CONNECTION_STRING", "AZURE_CLIENT_SECRET",
	// A proxy's address may have a password.
	"HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY",
}

// ReadSecretFiles sets the secrets of the selected command from their files. Call it
// before kong reads the environment. Libraries read their secrets from the
// environment only, so the values become part of it; the environment that
// /proc/PID/environ and `docker inspect` show stays without them. Errors have one
// line and neither a secret nor a path: a path may be a secret in the wrong variable.
func ReadSecretFiles(parsed *kong.Context) error {
	for _, variable := range SecretVariables(parsed.Selected()) {
		if err := readSecretFile(variable); err != nil {
			return err
		}
	}
	return nil
}

// SecretVariables returns the variables that the command reads and that hold
// secrets, each of which may be read from a file.
func SecretVariables(selected *kong.Node) []string {
	if selected == nil {
		return nil
	}
	var variables []string
	settings := 0
	for _, flag := range selected.Flags {
		settings += len(flag.Tag.Envs)
		if flag.Tag.Has(secretTag) {
			variables = append(variables, flag.Tag.Envs...)
		}
	}
	if settings == 0 {
		// A command without settings, such as health, uses no secret.
		return nil
	}
	return append(variables, secretsWithoutFlag...)
}

// readSecretFile sets a variable to the content of its file. Empty variables count
// as unset, because Docker Compose passes unset variables on as empty ones.
func readSecretFile(variable string) error {
	path := os.Getenv(variable + fileSuffix)
	if path == "" {
		return nil
	}
	if os.Getenv(variable) != "" {
		return fmt.Errorf("%s and %s are both set: unset one of them", variable, variable+fileSuffix)
	}
	secret, err := secretOf(path)
	if err != nil {
		return fmt.Errorf("%s: %w", variable+fileSuffix, err)
	}
	return os.Setenv(variable, secret)
}

// secretOf reads a secret of one line. The line break at the end of a text file is
// no part of it.
func secretOf(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", unreadable(err)
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, maxSecretBytes+1))
	if err != nil {
		return "", unreadable(err)
	}
	secret := strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	switch {
	case len(content) > maxSecretBytes:
		return "", fmt.Errorf("the file has more than %d bytes: give a file that holds only the secret", maxSecretBytes)
	case strings.TrimSpace(secret) == "":
		return "", errors.New("the file is empty: write the secret into it, or unset the variable")
	case strings.ContainsFunc(secret, func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) }):
		return "", errors.New("the file holds more than one line, or bytes that are no text: give a text file with one line")
	}
	return secret, nil
}

// unreadable returns the error of a file without its path.
func unreadable(err error) error {
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		err = failed.Err
	}
	return fmt.Errorf("the file can't be read: %w: give the path of a file that this process may read", err)
}
