package gallery_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/cli/gallery"
	"lumaflow/internal/command"
	"lumaflow/test/storetest"
)

const token = "0123456789abcdef0123456789abcdef"

func TestErrors(t *testing.T) {
	t.Parallel()
	here := t.TempDir()
	nowhere := filepath.Join(here, "nowhere")
	taken, err := command.Listen(t.Context(), "X", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = taken.Close() })
	tests := map[string]struct {
		command gallery.Command
		code    int
		want    string
	}{
		"a missing folder":      {gallery.Command{OutputURL: nowhere, Listen: "127.0.0.1:0"}, command.ExitFailed, nowhere + " can't be read (no such file or directory)"},
		"an unknown store":      {gallery.Command{OutputURL: "ftp://secret", Listen: "127.0.0.1:0"}, command.ExitUsage, "OUTPUT_URL"},
		"a port taken":          {gallery.Command{OutputURL: here, Listen: taken.Addr().String()}, command.ExitFailed, "is taken by another program: stop that or set GALLERY_LISTEN"},
		"no port":               {gallery.Command{OutputURL: here, Listen: "127.0.0.1"}, command.ExitUsage, "GALLERY_LISTEN"},
		"all addresses":         {gallery.Command{OutputURL: here, Listen: ":0"}, command.ExitUsage, "GALLERY_TOKEN is not set"},
		"a public address":      {gallery.Command{OutputURL: here, Listen: "192.0.2.1:80"}, command.ExitUsage, "GALLERY_TOKEN is not set"},
		"a short token":         {gallery.Command{OutputURL: here, Listen: ":0", Token: token[1:]}, command.ExitUsage, "has 31 bytes but needs at least 32"},
		"a UI with credentials": {gallery.Command{OutputURL: here, Listen: "127.0.0.1:0", TemporalUI: "https://u:p@ui.example.org"}, command.ExitUsage, "--temporal-ui"},
		"a UI that is a script": {gallery.Command{OutputURL: here, Listen: "127.0.0.1:0", TemporalUI: "javascript:alert(1)"}, command.ExitUsage, "--temporal-ui"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			err := test.command.Run(t.Context(), command.Streams{Out: &out, Err: io.Discard})
			require.ErrorContains(t, err, test.want)
			assert.NotContains(t, err.Error(), "\n")
			assert.NotContains(t, err.Error(), "secret")
			assert.Equal(t, test.code, command.ExitCode(err))
			assert.Empty(t, out.String())
		})
	}
}

// The command prints the address once it listens, without the token, and ends with
// its context.
func TestRun(t *testing.T) {
	t.Parallel()
	shelf := storetest.NewFolder(t)
	shelf.Job("a", "video")
	for name, test := range map[string]gallery.Command{
		"loopback": {OutputURL: shelf.Path, Listen: "127.0.0.1:0"},
		"token":    {OutputURL: shelf.Path, Listen: ":0", Token: token},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			out, lines := io.Pipe()
			ended := make(chan error, 1)
			go func() { ended <- test.Run(ctx, command.Streams{Out: lines, Err: io.Discard}) }()
			line, err := bufio.NewReader(out).ReadString('\n')
			require.NoError(t, err)
			assert.NotContains(t, line, token)
			_, address, found := strings.Cut(strings.TrimSpace(line), "gallery of "+shelf.Path+": ")
			require.True(t, found, line)
			address, _, _ = strings.Cut(address, "?")
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
			require.NoError(t, err)
			request.Header.Set("Authorization", "Bearer "+token)
			answer, err := http.DefaultClient.Do(request)
			require.NoError(t, err)
			page, err := io.ReadAll(answer.Body)
			require.NoError(t, err)
			require.NoError(t, answer.Body.Close())
			assert.Equal(t, http.StatusOK, answer.StatusCode)
			assert.Contains(t, string(page), "lumaflow gallery")
			cancel()
			require.NoError(t, <-ended)
		})
	}
}
