package media_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"lumaflow/internal/media"
	"lumaflow/test/mp4test"
)

func FuzzInspectMP4(f *testing.F) {
	for _, name := range []string{"clip.mp4", "clip.mov", "fragmented.mp4"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add(bytes.Join([][]byte{fileType("isom"), mp4test.Movie(9960, 1000, 1280, 720), atom("mdat", make([]byte, 500))}, nil))
	f.Add(append(fileType("qt  "), "\x00\x00\x00\x01mdat\xff\xff\xff\xff\xff\xff\xff\xff"...))
	f.Add(append(fileType("isom"), "\x00\x00\x00\x00moov\x00\x00\x00\x00trak"...))
	f.Add([]byte("<!DOCTYPE html>"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		found, err := media.InspectMP4(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			if found != (media.Video{}) {
				t.Errorf("an error and %+v", found)
			}
			return
		}
		if found.Duration < 0 || found.Width < 0 || found.Height < 0 || found.Width > 1<<16 || found.Height > 1<<16 {
			t.Errorf("impossible: %+v", found)
		}
		if found.Extension != ".mp4" && found.Extension != ".mov" {
			t.Errorf("extension %q", found.Extension)
		}
		if !bytes.Contains(data, []byte("moov")) {
			t.Error("accepted without a moov")
		}
	})
}

// Inspect names a container that the bytes contain, or returns an error.
func FuzzInspect(f *testing.F) {
	for _, name := range []string{"clip.avi", "clip.mov", "fragmented.mp4"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("RIFF\x24\x00\x00\x00AVI LIST\x04\x00\x00\x00hdrlLIST\x04\x00\x00\x00movi"))
	f.Add([]byte("RIFF\xff\xff\xff\xffAVI LIST\x00\x00\x00\x00hdrlavih"))
	f.Fuzz(func(t *testing.T, data []byte) {
		found, err := media.Inspect(bytes.NewReader(data), int64(len(data)))
		switch {
		case err != nil:
			var malformed media.MalformedError
			if found != (media.Video{}) || !errors.As(err, &malformed) {
				t.Errorf("an error of type %T and %+v", err, found)
			}
		case found.Extension == ".avi":
			if !bytes.HasPrefix(data, []byte("RIFF")) || !bytes.Contains(data, []byte("avih")) {
				t.Error("accepted as an AVI")
			}
		default:
			if !bytes.Contains(data, []byte("moov")) {
				t.Errorf("accepted as %q", found.Extension)
			}
		}
	})
}
