package media_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/media"
)

// disagreements are the files of the corpus whose verdict differs from ffmpeg's.
var disagreements = map[string]string{}

// A file of the corpus is a video if ffmpeg decodes frames of it. tools/media-corpus
// generates the files.
func TestCorpus(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile("testdata/corpus/frames.tsv")
	require.NoError(t, err)
	files := 0
	for line := range strings.Lines(string(list)) {
		name, count, _ := strings.Cut(strings.TrimSpace(line), "\t")
		frames, err := strconv.Atoi(count)
		require.NoError(t, err)
		files++
		data, err := os.ReadFile(filepath.Join("testdata/corpus", name))
		require.NoError(t, err)
		video, err := media.Inspect(bytes.NewReader(data), int64(len(data)))
		_, differs := disagreements[name]
		assert.Equal(t, (frames > 0) != differs, err == nil, "%s: ffmpeg decodes %d frames: %v", name, frames, err)
		if err == nil {
			t.Logf("%-32s %d frames, %+v", name, frames, video)
		}
	}
	require.GreaterOrEqual(t, files, 60)
}
