package clip_test

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/clip"
	"lumaflow/internal/command"
	"lumaflow/test/mp4test"
)

// A file is checked against the limits of its model, not against those of Luma Modify.
func TestLimitsOfModels(t *testing.T) {
	t.Parallel()
	movie := func(duration time.Duration, width, height uint16) []byte {
		return mp4test.Movie{
			Duration: uint32(duration * 1000 / time.Second), Scale: 1000, Width: width, Height: height,
			Frames: uint32(duration / (40 * time.Millisecond)), Media: make([]byte, 100),
		}.Bytes()
	}
	tests := []struct {
		name, model string
		content     []byte
		text        string
	}{
		{"twenty seconds", "happyhorse/video-edit", movie(20*time.Second, 640, 360), ""},
		{"twenty seconds", "wan/2-7-videoedit", movie(20*time.Second, 640, 360), "lasts 20s and model wan/2-7-videoedit takes at most 10s"},
		{"one second", "wan/2-7-videoedit", movie(time.Second, 640, 360), "lasts 1s and model wan/2-7-videoedit takes at least 2s"},
		{"few pixels", "wan/2-7-videoedit", movie(5*time.Second, 640, 200), "has 640 x 200 pixels and model wan/2-7-videoedit takes sides of 240 to 4096: scale it: ffmpeg -i '"},
		{"a bar", "wan/2-7-videoedit", movie(5*time.Second, 3000, 20), "takes sides of 240 to 4096"},
		{"many pixels", "happyhorse/video-edit", movie(5*time.Second, 3840, 2160), "takes sides of 320 to 2160: scale it: ffmpeg -i '"},
		{"few pixels", "volcengine/video-to-video-lip-sync", movie(5*time.Second, 640, 340), "takes sides of at least 360"},
		{"many pixels", "volcengine/video-to-video-lip-sync", movie(5*time.Second, 3840, 2160), ""},
		{"AVI", "wan/2-7-videoedit", avi(40_000, 125), "is in the format avi and model wan/2-7-videoedit takes mp4, mov: convert it: ffmpeg -i '"},
		{"Matroska", "wan/2-6-video-to-video", append([]byte("\x1aE\xdf\xa3"), make([]byte, 100)...), "is a Matroska file (mkv or webm), which lumaflow can't check before the task is paid: convert it: ffmpeg -i '"},
		{"too many boxes", "aleph", append(movie(time.Second, 64, 36), bytes.Repeat(mp4test.Atom("free"), 1<<16)...), "upload a copy of it: ffmpeg -i '"},
		{"no limits", "aleph", movie(90*time.Second, 64, 36), ""},
	}
	for _, test := range tests {
		t.Run(test.name+" of "+test.model, func(t *testing.T) {
			t.Parallel()
			opened, err := clip.OpenFor(t.Context(), file(t, "a.mp4", test.content), test.model)
			if test.text == "" {
				require.NoError(t, err)
				require.NoError(t, opened.Close())
				return
			}
			require.ErrorContains(t, err, test.text)
			require.Equal(t, command.ExitUsage, command.ExitCode(err))
		})
	}
}

// The advice for a clip of too few or too many pixels leads to one that is accepted.
func TestScaleCommand(t *testing.T) {
	t.Parallel()
	requireFFmpeg(t)
	for _, test := range []struct{ size, model string }{
		{"640x202", "wan/2-7-videoedit"},
		{"202x640", "wan/2-7-videoedit"},
		{"2600x1200", "happyhorse/video-edit"},
	} {
		t.Run(test.size, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "a.mp4")
			ffmpeg(t, "-f lavfi -i testsrc=size="+test.size+":rate=5:duration=3 -pix_fmt yuv420p "+path)
			_, err := clip.OpenFor(t.Context(), path, test.model)
			require.ErrorContains(t, err, " pixels and model "+test.model)
			_, advice, _ := strings.Cut(err.Error(), "scale it: ffmpeg ")
			ffmpeg(t, advice)
			scaled, err := clip.OpenFor(t.Context(), strings.TrimSuffix(path, ".mp4")+"-scaled.mp4", test.model)
			require.NoError(t, err)
			require.NoError(t, scaled.Close())
		})
	}
}
