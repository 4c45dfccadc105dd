package demo_test

import (
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/cli/demo"
	"lumaflow/internal/command"
)

// A model that the demo can't run is rejected before anything starts.
func TestModelsThatTheDemoRejects(t *testing.T) {
	t.Parallel()
	for model, text := range map[string]string{
		"acme/restyle":            "none that the demo simulates",
		"veo":                     "none that the demo simulates",
		"wan/2-2-animate-replace": `needs option "image_url"`,
	} {
		err := (&demo.Command{Prompt: "snow", Model: model}).Run(t.Context(), command.Streams{Out: io.Discard, Err: io.Discard})
		require.ErrorContains(t, err, text)
		require.Equal(t, command.ExitUsage, command.ExitCode(err))
	}
}
