package clip_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/clip"
	"lumaflow/internal/command"
)

// A field case is refused if its name begins with bad or long, and is uploaded unchanged otherwise.
func TestFieldCases(t *testing.T) {
	t.Parallel()
	const folder = "../media/testdata/field/"
	refusals := map[string]string{
		"bad-20s-mvhd-duration-0.mp4": "lasts 20s and model luma takes at most 10s",
		"long-20s.mp4":                "lasts 20s and model luma takes at most 10s",
		"bad-8-bytes.mov":             "it has no tracks",
		"bad-audio-only.avi":          "it has no picture stream",
		"bad-audio-only.mp4":          "it has no picture track",
		"bad-cut-mdat-to-eof.mp4":     "the video is cut off",
		"bad-init-only.mp4":           "its picture track has no samples",
		"bad-moof-without-mdat.mp4":   "the video is cut off",
		"bad-no-media.mp4":            "the video is cut off",
		"bad-no-track.mp4":            "it has no tracks",
	}
	names, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Len(t, names, 26)
	for _, entry := range names {
		t.Run(entry.Name(), func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(folder, entry.Name())
			opened, err := clip.Open(t.Context(), path)
			text, refused := refusals[entry.Name()]
			assert.Equal(t, strings.HasPrefix(entry.Name(), "bad-") || strings.HasPrefix(entry.Name(), "long-"), refused)
			if refused {
				require.ErrorContains(t, err, text)
				require.Equal(t, command.ExitUsage, command.ExitCode(err))
				return
			}
			require.NoError(t, err)
			defer opened.Close()
			to := &host{}
			to.script = append(to.script, to.accept)
			_, err = opened.Upload(t.Context(), to, &events{})
			require.NoError(t, err)
			content, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, [][]byte{content}, to.bodies)
		})
	}
}
