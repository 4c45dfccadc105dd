package fetch_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"lumaflow/fetch"
)

func FuzzInspect(f *testing.F) {
	for _, name := range []string{"clip.mp4", "clip.mov", "fragmented.mp4"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add(video(1000, 1))
	f.Add(append(fileType("qt  "), "\x00\x00\x00\x01mdat\xff\xff\xff\xff\xff\xff\xff\xff"...))
	f.Add(append(fileType("isom"), "\x00\x00\x00\x00moov\x00\x00\x00\x00trak"...))
	f.Add([]byte("<!DOCTYPE html>"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		found, err := fetch.InspectReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			if found != (fetch.Video{}) {
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

func FuzzContentRange(f *testing.F) {
	for _, header := range []string{
		"bytes 0-99/1000", "bytes 5-9/*", "bytes */1000", "bytes 9-5/10", "bytes */*", "", "bytes",
		"bytes 0-9223372036854775807/9223372036854775807", "bytes -1--1/-1", "BYTES 0-0/1", "items 0-1/2",
	} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		first, last, total, err := fetch.ParseContentRange(header)
		if err != nil {
			return
		}
		nothing := first == -1 && last == -1 && total >= 0
		something := first >= 0 && first <= last && last+1 > 0 && (total == -1 || last < total)
		if !nothing && !something {
			t.Errorf("%q gives %d-%d/%d", header, first, last, total)
		}
	})
}
