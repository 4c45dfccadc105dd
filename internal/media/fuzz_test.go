package media_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"lumaflow/internal/media"
)

// seeds are the files of the corpus and headers at the limits of their fields.
func seeds(f *testing.F) {
	f.Helper()
	for _, file := range corpus(f) {
		f.Add(file.data)
	}
	good := tenSeconds.Bytes()
	f.Add(good)
	f.Add(with(f, good, "stsz", 4, 1<<32-1, 1<<32-1))
	f.Add(with(f, good, "stsc", 4, 1, 1, 1<<32-1))
	f.Add(with(f, good, "stco", 4, 1<<32-1))
	f.Add(with(f, good, "stts", 4, 2, 1<<32-1, 1<<32-1))
	f.Add(append(fileType("qt  "), "\x00\x00\x00\x01mdat\xff\xff\xff\xff\xff\xff\xff\xff"...))
	f.Add(append(fileType("isom"), "\x00\x00\x00\x00moov\x00\x00\x00\x00trak"...))
	f.Add([]byte("RIFF\x24\x00\x00\x00AVI LIST\x04\x00\x00\x00hdrlLIST\x04\x00\x00\x00movi"))
	f.Add([]byte("RIFF\xff\xff\xff\xffAVI LIST\x00\x00\x00\x00hdrlavih"))
	f.Add([]byte("<!DOCTYPE html>"))
	f.Add([]byte{})
}

// A file that is accepted has what makes up a video, and none is accepted after it
// is refused as delivered.
func FuzzInspectMP4(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		found, err := media.InspectMP4(bytes.NewReader(data), int64(len(data)))
		delivered, deliveredErr := media.InspectDelivered(bytes.NewReader(data), int64(len(data)))
		if err == nil && (deliveredErr != nil || found != delivered) {
			t.Errorf("%+v alone, %+v and %v as delivered", found, delivered, deliveredErr)
		}
		checkResult(t, data, found, err)
		checkResult(t, data, delivered, deliveredErr)
		if err == nil && found.Extension == ".avi" {
			t.Error("an AVI")
		}
	})
}

// A compressed index is read as if it was not compressed.
func FuzzCompressedIndex(f *testing.F) {
	brand, content := fileType("qt  "), atom("mdat", make([]byte, 2000))
	for _, name := range []string{"x264.mov", "b-frames.mp4", "pcm.mov", "fragments-after-samples.mp4", "two-pictures.mp4"} {
		data := testdata(f, "corpus/"+name)
		f.Add(data[place(f, data, "moov"):])
	}
	f.Add(with(f, topBoxes(tenSeconds.Bytes())[1], "stco", 8, uint32(len(brand)+8)))
	f.Add(compressedIndex(8, zlibbed(atom("moov"), -1)))
	f.Fuzz(func(t *testing.T, index []byte) {
		box := compressedIndex(uint32(len(index)), zlibbed(index, zlib.HuffmanOnly))
		data := slices.Concat(brand, content, box, make([]byte, len(index)))
		found, err := media.InspectDelivered(bytes.NewReader(data), int64(len(data)))
		checkResult(t, slices.Concat(data, index), found, err)
		if err != nil || int(binary.BigEndian.Uint32(index)) != len(index) {
			return
		}
		plain := slices.Concat(brand, content, index, make([]byte, len(box)))
		if same, err := media.InspectDelivered(bytes.NewReader(plain), int64(len(plain))); err == nil && same != found {
			t.Errorf("%+v compressed, %+v not", found, same)
		}
	})
}

// Inspect names a container that the bytes contain, or returns an error.
func FuzzInspect(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		found, err := media.Inspect(bytes.NewReader(data), int64(len(data)))
		checkResult(t, data, found, err)
	})
}

func checkResult(t *testing.T, data []byte, found media.Video, err error) {
	t.Helper()
	if err != nil {
		failed, ok := errors.AsType[*media.Error](err)
		switch {
		case found != (media.Video{}) || !ok:
			t.Errorf("an error of type %T and %+v", err, found)
		case failed.Offset < 0 || failed.Offset > int64(len(data)) || failed.Problem == "" || failed.Error() == "":
			t.Errorf("an error without a place or reason: %#v", failed)
		}
		return
	}
	if found.Duration < 0 || found.Frame < 0 || found.Width < 0 || found.Height < 0 || found.Width > 1<<16 || found.Height > 1<<16 {
		t.Errorf("impossible: %+v", found)
	}
	required := map[string][]string{".mp4": {"ftyp", "moov", "vide"}, ".mov": {"moov", "vide"}, ".avi": {"RIFF", "AVI ", "vids"}}[found.Extension]
	if required == nil {
		t.Errorf("extension %q", found.Extension)
	}
	for _, part := range required {
		if !bytes.Contains(data, []byte(part)) {
			t.Errorf("accepted as %s without %s", found.Extension, part)
		}
	}
}
