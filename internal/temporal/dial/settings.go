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

// Settings say which Temporal the environment and the profile point to.
type Settings struct {
	// Address is host and port of the server.
	Address string
	// Namespace is where jobs run. Callback tokens are bound to it.
	Namespace string
	// Codec encrypts what clients store and reads it again. What the client does
	// not decode itself (histories, heartbeats) has to be read with its
	// converters.
	Codec codec.Codec
}

// Load reads the settings without dialling anything; env nil means the process
// environment. Its errors are usage errors of one line.
func Load(env envconfig.EnvLookup) (Settings, error) {
	target, err := load(env)
	return target.Settings, err
}

// target is the settings with what must not be printed.
type target struct {
	Settings
	options client.Options
	apiKey  string
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
		// As gRPC metadata it would fail every call, and a pasted line break is
		// easily missed.
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
	if err != nil {
		return target{}, command.Usagef("%w", err)
	}
	return target{
		Settings: Settings{Address: options.HostPort, Namespace: options.Namespace, Codec: encryption},
		options:  options,
		apiKey:   profile.APIKey,
	}, nil
}

// malformed names what is wrong with the settings.
func malformed(err error) error {
	var syntax toml.ParseError
	if errors.As(err, &syntax) {
		// The parser quotes the text it stumbles over, which may be the API key.
		return command.Usagef("the Temporal profile file can't be read: malformed TOML in line %d; see TEMPORAL_CONFIG_FILE", syntax.Position.Line)
	}
	return command.Usagef("the Temporal connection settings (TEMPORAL_* or the profile) can't be used: %w", err)
}

// dialable reports whether gRPC would dial what the user means. It takes any
// text for a host and asks port 443 if there is none.
func dialable(address string) bool {
	for _, scheme := range []string{"dns:", "unix:", "unix-abstract:", "passthrough:"} {
		if strings.HasPrefix(address, scheme) {
			return true
		}
	}
	host, port, err := net.SplitHostPort(address)
	return err == nil && port != "" && !strings.ContainsAny(host, "/@ ")
}
