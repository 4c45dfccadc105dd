package dial

import (
	"errors"
	"net"
	"strings"
	"unicode"

	"github.com/BurntSushi/toml"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"

	"lumaflow/internal/command"
	"lumaflow/internal/temporal/codec"
)

// Settings are the server and namespace that the environment and the profile select.
type Settings struct {
	// Address is the host and port of the server.
	Address string
	// Namespace holds the jobs. Callback tokens are bound to it.
	Namespace string
	// Codec encrypts and decrypts payloads. The client decodes no histories and
	// heartbeats: use the codec's converters for them.
	Codec codec.Codec
}

// Load reads the settings without dialling; a nil env means the process
// environment. Errors are usage errors of one line.
func Load(env envconfig.EnvLookup) (Settings, error) {
	target, err := load(env)
	return target.settings, err
}

// target is the settings with the secrets.
type target struct {
	settings Settings
	options  client.Options
	apiKey   string
}

func load(env envconfig.EnvLookup) (target, error) {
	profile, err := envconfig.LoadClientConfigProfile(envconfig.LoadClientConfigProfileOptions{EnvLookup: env})
	if err != nil {
		return target{}, malformed(err)
	}
	options, err := profile.ToClientOptions(envconfig.ToClientOptionsRequest{})
	if err != nil {
		return target{}, malformed(err)
	}
	if options.HostPort == "" {
		options.HostPort = client.DefaultHostPort
	}
	if options.Namespace == "" {
		options.Namespace = client.DefaultNamespace
	}
	if strings.ContainsFunc(profile.APIKey, unicode.IsSpace) {
		// gRPC would reject the header of every request.
		return target{}, command.Usagef("TEMPORAL_API_KEY (or the api_key of the Temporal profile) must not hold blanks or line breaks")
	}
	if !dialable(options.HostPort) {
		return target{}, command.Usagef("TEMPORAL_ADDRESS (or the address of the Temporal profile) must be host:port, like %s", client.DefaultHostPort)
	}
	if env == nil {
		env = envconfig.EnvLookupOS
	}
	keys, _ := env.LookupEnv(codec.Variable)
	encryption, err := codec.ParseKeys(keys)
	if err == nil {
		plaintext, _ := env.LookupEnv(codec.PlaintextVariable)
		encryption, err = encryption.AcceptPlaintext(plaintext)
	}
	if err != nil {
		return target{}, command.Usagef("%w", err)
	}
	return target{
		settings: Settings{Address: options.HostPort, Namespace: options.Namespace, Codec: encryption},
		options:  options,
		apiKey:   profile.APIKey,
	}, nil
}

// malformed is the usage error for settings that envconfig rejects.
func malformed(err error) error {
	if syntax, ok := errors.AsType[toml.ParseError](err); ok {
		// The parser quotes the malformed text, which may be the API key.
		return command.Usagef("the Temporal profile file can't be read: malformed TOML in line %d; see TEMPORAL_CONFIG_FILE", syntax.Position.Line)
	}
	return command.Usagef("the Temporal connection settings (TEMPORAL_* or the profile) can't be used: %w", err)
}

// dialable reports whether address is host:port or a gRPC target. gRPC accepts any
// text as a host and adds port 443.
func dialable(address string) bool {
	for _, scheme := range []string{"dns:", "unix:", "unix-abstract:", "passthrough:"} {
		if strings.HasPrefix(address, scheme) {
			return true
		}
	}
	host, port, err := net.SplitHostPort(address)
	return err == nil && port != "" && !strings.ContainsAny(host, "/@ ")
}
