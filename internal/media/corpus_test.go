package media_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
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

// generated is a file of the corpus.
type generated struct {
	name string
	data []byte
	// frames is the number of frames that ffmpeg decodes, enough the number of bytes at
	// the beginning of which it decodes all frames of picture and sound.
	frames, enough int
}

// corpus is the files that tools/media-corpus generates.
func corpus(t testing.TB) (files []generated) {
	t.Helper()
	for line := range strings.Lines(string(testdata(t, "corpus/frames.tsv"))) {
		var file generated
		_, err := fmt.Sscan(line, &file.name, &file.frames, &file.enough)
		require.NoError(t, err)
		file.data = testdata(t, "corpus/"+file.name)
		files = append(files, file)
	}
	require.GreaterOrEqual(t, len(files), 60)
	return files
}

// A file is a video if ffmpeg decodes frames of it.
func TestCorpus(t *testing.T) {
	t.Parallel()
	for _, file := range corpus(t) {
		t.Run(file.name, func(t *testing.T) {
			t.Parallel()
			video, err := media.Inspect(bytes.NewReader(file.data), int64(len(file.data)))
			problem, differs := disagreements[file.name]
			switch {
			case differs:
				requireProblem(t, problem, err)
			case file.frames == 0:
				require.Error(t, err)
			default:
				require.NoError(t, err)
				assert.NotZero(t, video.Duration)
				assert.NotZero(t, video.Frame)
			}
		})
	}
}

// The beginning of a file is accepted only if ffmpeg decodes all frames of the whole
// file from it.
func TestTruncation(t *testing.T) {
	t.Parallel()
	// An AVI in a pipe declares neither lengths nor a number of frames.
	undetectable := []string{"pipe.avi", "pipe-pcm.avi"}
	refused, accepted := 0, 0
	random := rand.New(rand.NewPCG(14, 1))
	for _, file := range corpus(t) {
		if slices.Contains(undetectable, file.name) {
			continue
		}
		places := boundaries(file.data)
		for range 50 {
			places = append(places, random.IntN(len(file.data)))
		}
		for _, size := range places {
			_, err := media.Inspect(bytes.NewReader(file.data[:size]), int64(size))
			if err != nil {
				refused++
				continue
			}
			accepted++
			assert.GreaterOrEqual(t, size, file.enough, "%s of %d bytes is accepted with %d", file.name, len(file.data), size)
		}
	}
	t.Logf("%d beginnings are refused, %d accepted", refused, accepted)
	assert.Greater(t, refused, 5000)
	assert.Greater(t, accepted, 15)
}

// boundaries are the places at which a box or chunk of any level begins or ends. Some
// are coincidences of media data.
func boundaries(data []byte) (places []int) {
	for at := 0; at+8 <= len(data); at++ {
		for name, length := range map[int]uint32{at + 4: binary.BigEndian.Uint32(data[at:]), at: binary.LittleEndian.Uint32(data[at+4:]) + 8} {
			end := at + int(length)
			if length >= 8 && end < len(data) && len(bytes.Trim(data[name:name+4], letters)) == 0 {
				places = append(places, at, at+8, end)
			}
		}
	}
	slices.Sort(places)
	return slices.Compact(places)
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 "
