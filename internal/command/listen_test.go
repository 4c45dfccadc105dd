package command_test

import (
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/command"
)

func TestListen(t *testing.T) {
	t.Parallel()
	taken, err := command.Listen(t.Context(), "X_LISTEN", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	tests := map[string]struct {
		address, says string
		code          int
	}{
		"taken":           {taken.Addr().String(), taken.Addr().String() + " is taken by another program: stop that or set X_LISTEN", command.ExitFailed},
		"no port":         {"127.0.0.1", `X_LISTEN is "127.0.0.1": give host:port, like :8080`, command.ExitUsage},
		"too high a port": {"127.0.0.1:70000", `X_LISTEN is "127.0.0.1:70000": give host:port, like :8080`, command.ExitUsage},
		"no such service": {":nonsense", `X_LISTEN is ":nonsense": give host:port, like :8080`, command.ExitUsage},
		// 192.0.2.0/24 is reserved for documentation.
		"not our address": {net.JoinHostPort("192.0.2.1", "8080"), "listen on 192.0.2.1:8080; check X_LISTEN: ", command.ExitFailed},
	}
	for name, test := range tests {
		_, err := command.Listen(t.Context(), "X_LISTEN", test.address)
		require.ErrorContains(t, err, test.says, name)
		assert.Equal(t, test.code, command.ExitCode(err), name)
		assert.NotContains(t, err.Error(), "\n", name)
	}
}
