package media

import "slices"

const (
	// probeSize is the number of bytes at the beginning of a sample that are not all
	// zero in any compressed format: its first unit has a length or a start code.
	probeSize = 16
	// maxProbes bounds the reads of one file. Ten seconds have some hundred chunks.
	maxProbes = 10_000
)

// compressed are the codecs whose samples don't begin with zeros. Black is zeros in
// some uncompressed formats.
var compressed = []string{
	"avc1", "avc3", "hvc1", "hev1", "dvh1", "dvhe", "vp08", "vp09", "av01", "mp4v", "jpeg", "mjpa", "mjpb", "png ",
	"apco", "apcs", "apcn", "apch", "ap4h", "ap4x", "AVdn", "AVdh", "s263", "encv",
}

// checkHole checks that samples in one piece do not begin with a hole: programs that
// download or copy a file may create it in its full length first.
func (x *index) checkHole(t *track, place span) error {
	size := place.end - place.start
	if size < probeSize || x.probes == maxProbes || t.handler != handlerPicture || !slices.Contains(compressed, t.codec) {
		return nil
	}
	x.probes++
	bytes := make([]byte, probeSize)
	if err := x.reader.fill(bytes, place.start); err != nil {
		return err
	}
	if slices.ContainsFunc(bytes, func(b byte) bool { return b != 0 }) {
		return nil
	}
	return problemf(CutOff, place.start, "the video is incomplete: zeros are at byte %d, where samples of its track %d belong", place.start, t.id)
}
