package clip_test

import (
	"bytes"
	"os"
	"testing"
	"time"

	"lumaflow/internal/clip"
)

// Whatever a file holds, it is told what it is or what is wrong with it.
func FuzzInspect(f *testing.F) {
	for _, name := range []string{"testdata/clip.avi", "../fetch/testdata/clip.mov", "../fetch/testdata/fragmented.mp4"} {
		content, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Add(lasting(11 * time.Second))
	f.Add(avi(40_000, 250))
	f.Add(riff("RIFF", "AVI ", riff("LIST", "hdrl"), riff("LIST", "movi")))
	f.Add([]byte("RIFF\xff\xff\xff\xffAVI LIST\x00\x00\x00\x00hdrlavih"))
	f.Fuzz(func(t *testing.T, content []byte) {
		extension, err := clip.Inspect(bytes.NewReader(content), int64(len(content)))
		switch {
		case err != nil && extension != "":
			t.Errorf("an error and %q", extension)
		case err == nil && extension == ".avi":
			if !bytes.HasPrefix(content, []byte("RIFF")) || !bytes.Contains(content, []byte("avih")) {
				t.Error("taken for an AVI")
			}
		case err == nil:
			if !bytes.Contains(content, []byte("moov")) {
				t.Errorf("taken for %q", extension)
			}
		}
	})
}
