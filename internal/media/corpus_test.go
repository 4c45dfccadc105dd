package media_test

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/media"
)

// disagreements are the files of the corpus of which ffmpeg decodes frames and which
// are refused, with the reason.
var disagreements = map[string]media.Problem{
	// kie.ai takes MP4, MOV and AVI.
	"other.flv": media.NotVideo,
	"other.gif": media.NotVideo,
	"other.mkv": media.NotVideo,
	"other.ogv": media.NotVideo,
	"other.ts":  media.NotVideo,
	// Its bytes are those of a longer file that was cut off between two fragments.
	"fragments-unfinished.mp4": media.Unfinished,
}

// corpus lists the files of the corpus and the number of frames that ffmpeg decodes
// of each. tools/media-corpus generates both.
func corpus(t testing.TB) map[string]int {
	t.Helper()
	frames := map[string]int{}
	for line := range strings.Lines(string(testdata(t, "corpus/frames.tsv"))) {
		name, count, _ := strings.Cut(strings.TrimSpace(line), "\t")
		n, err := strconv.Atoi(count)
		require.NoError(t, err)
		frames[name] = n
	}
	require.GreaterOrEqual(t, len(frames), 60)
	return frames
}

// A file is a video if ffmpeg decodes frames of it.
func TestCorpus(t *testing.T) {
	t.Parallel()
	for name, frames := range corpus(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := testdata(t, "corpus/"+name)
			video, err := media.Inspect(bytes.NewReader(data), int64(len(data)))
			problem, differs := disagreements[name]
			switch {
			case differs:
				requireProblem(t, problem, err)
			case frames == 0:
				require.Error(t, err)
			default:
				require.NoError(t, err)
				assert.NotZero(t, video.Duration)
				assert.NotZero(t, video.Frame)
			}
		})
	}
}
