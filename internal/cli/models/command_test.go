package models_test

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/cli/models"
	"lumaflow/internal/command"
	"lumaflow/internal/kie"
	"lumaflow/internal/kie/kietest"
)

// printed is the output of the command. The cache of the user is a new folder.
func printed(t *testing.T, c models.Command) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := c.Run(t.Context(), command.Streams{Out: &out, Err: &out})
	return out.String(), err
}

func TestTable(t *testing.T) {
	out, err := printed(t, models.Command{})
	require.NoError(t, err)
	for _, model := range kie.Models() {
		require.Contains(t, out, model.Name)
		for _, option := range model.Options {
			require.Regexp(t, `[ ,]`+option.Name+`(,|\n)`, out)
		}
	}
	require.NotContains(t, out, "…")
	require.Contains(t, out, "mp4, mov; 3 to 60 s; at most 100 MB; 320 to 2160 px")
	require.Contains(t, out, "113 s")
	require.Contains(t, out, "mp4, mov; at most 500 MB; at least 360 px")
	require.Contains(t, out, "required: mode, audio_url")
	require.Equal(t, 4, strings.Count(out, "kie.ai ignores the prompt"))
}

func TestLive(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	server, err := kietest.New(kietest.Options{RateLimit: -1})
	require.NoError(t, err)
	listening := httptest.NewServer(server)
	defer func() { listening.Close(); _ = server.Close() }()
	live := models.Command{Live: true, KieAPIKey: "test-key", KieBaseURL: listening.URL}
	out, err := printed(t, live)
	require.NoError(t, err)
	require.Contains(t, out, "in kie.ai's catalogue, 97.5 % of the tasks of the last 24 hours succeeded")
	require.Contains(t, out, "price: 720p: 80 credits ($0.40)")
	older := 0
	for _, model := range kie.Models() {
		if !model.InCatalogue() {
			older++
		}
	}
	require.Equal(t, older, strings.Count(out, "not in kie.ai's catalogue, which need not list it"), "models outside Market")

	// The answers are kept, for this address alone.
	listening.Close()
	live.JSON = true
	out, err = printed(t, live)
	require.NoError(t, err)
	var report struct {
		Models []struct {
			Name string
			Live struct {
				Listed      bool
				Price       string
				SuccessRate *float64
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(out), &report))
	require.Len(t, report.Models, len(kie.Models()))
	for _, model := range report.Models {
		switch model.Name {
		case kie.DefaultModel:
			require.False(t, model.Live.Listed)
		case "wan/2-7-videoedit":
			require.Equal(t, "720p: 80 credits ($0.40)", model.Live.Price)
			require.InDelta(t, 97.5, *model.Live.SuccessRate, 0.01)
		}
	}
	live.KieBaseURL = "http://127.0.0.1:1"
	live.JSON = false
	out, err = printed(t, live)
	require.ErrorContains(t, err, "read kie.ai's catalogue about luma")
	require.Contains(t, out, kie.Models()[len(kie.Models())-1].Name, "the table is printed all the same")
}

func TestLiveNeedsAKey(t *testing.T) {
	_, err := printed(t, models.Command{Live: true})
	require.Equal(t, command.ExitUsage, command.ExitCode(err))
}
