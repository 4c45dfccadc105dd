package media_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/media"
)

// A file that was created in its full length and not filled is no video.
func TestHoles(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"faststart.mp4", "x264.mov", "prores.mov", "x265.mp4", "vp9.mp4", "av1.mp4", "mpeg4.mp4", "fragments.mp4"} {
		data := testdata(t, "corpus/"+name)
		for at := 0; at < len(data); {
			size := int(data[at])<<24 | int(data[at+1])<<16 | int(data[at+2])<<8 | int(data[at+3])
			if string(data[at+4:at+8]) == "mdat" && size > 200 {
				_, err := media.Inspect(bytes.NewReader(zeros(data, at+8, size-8)), int64(len(data)))
				requireProblem(t, media.CutOff, err)
			}
			at += size
		}
	}
	// Black is zeros in this format.
	raw := testdata(t, "corpus/raw-rgb.mov")
	at := bytes.Index(raw, []byte("mdat"))
	_, err := media.Inspect(bytes.NewReader(zeros(raw, at+4, 3*16*16*3)), int64(len(raw)))
	require.NoError(t, err)
}
