package media_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/media"
)

// The field cases stand for files of public reports. They are output of ffmpeg with
// some bytes changed, nothing in them is anybody's. Their names begin with their
// verdict; ffmpeg decodes every frame of the good and valid ones.
func TestFieldCases(t *testing.T) {
	t.Parallel()
	problems := map[string]media.Problem{
		"bad-8-bytes.mov":           media.NoPicture,
		"bad-audio-only.avi":        media.NoPicture,
		"bad-audio-only.mp4":        media.NoPicture,
		"bad-cut-mdat-to-eof.mp4":   media.CutOff,
		"bad-init-only.mp4":         media.NoPicture,
		"bad-moof-without-mdat.mp4": media.CutOff,
		"bad-no-media.mp4":          media.CutOff,
		"bad-no-track.mp4":          media.NoPicture,
	}
	durations := map[string]time.Duration{
		"bad-20s-mvhd-duration-0.mp4":      20 * time.Second,
		"long-20s.mp4":                     20 * time.Second,
		"valid-241-frames-24fps.mp4":       241 * time.Second / 24,
		"valid-ntsc-t10.mp4":               300 * 1001 * time.Second / 30_000,
		"valid-riff-size-ffffffff.avi":     500 * time.Millisecond,
		"good-fragmented.mp4":              500 * time.Millisecond,
		"valid-moov-4-zero-bytes.mov":      500 * time.Millisecond,
		"valid-trailing-zeros.mp4":         500 * time.Millisecond,
		"valid-second-moov.mp4":            500 * time.Millisecond,
		"valid-info-list-first.avi":        500 * time.Millisecond,
		"valid-trailing-newline.mp4":       500 * time.Millisecond,
		"valid-riff-size-is-file-size.avi": 500 * time.Millisecond,
	}
	paths, err := filepath.Glob("testdata/field/*.*")
	require.NoError(t, err)
	require.Len(t, paths, 26)
	for _, path := range paths {
		name := filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			video, err := media.Inspect(bytes.NewReader(data), int64(len(data)))
			if problem, bad := problems[name]; bad {
				requireProblem(t, problem, err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, filepath.Ext(name), video.Extension)
			if want, known := durations[name]; known {
				assert.InDelta(t, want, video.Duration, float64(time.Millisecond))
			}
			assert.NotZero(t, video.Duration)
			assert.Equal(t, []int{64, 36}, []int{video.Width, video.Height})
		})
	}
}

// requirePlace checks that the place of a problem is within the file.
func requirePlace(t *testing.T, size int64, err error) {
	t.Helper()
	failed, ok := errors.AsType[*media.Error](err)
	require.True(t, ok, "%v", err)
	require.GreaterOrEqual(t, failed.Offset, int64(0), failed.Error())
	require.LessOrEqual(t, failed.Offset, size, failed.Error())
}

// requireProblem checks the kind of an error and that it is one sentence of one line.
func requireProblem(t *testing.T, problem media.Problem, err error) {
	t.Helper()
	failed, ok := errors.AsType[*media.Error](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, problem, failed.Problem, failed.Error())
	require.NotContains(t, failed.Error(), "\n")
	require.False(t, strings.HasSuffix(failed.Error(), "."))
}
