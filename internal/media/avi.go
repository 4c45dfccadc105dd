package media

import (
	"encoding/binary"
	"math"
	"strings"
	"time"
)

const (
	// A chunk begins with its identifier and its length in bytes. A list is a chunk
	// whose content begins with its kind.
	chunkHeader = 8
	listHeader  = 12
	// unknownSize is written by programs that can't return to a header, as into a
	// pipe; 0 is another such size. ffmpeg declares unknownFrames then.
	unknownSize   = math.MaxUint32
	unknownFrames = 1 << 30
	streamPicture = "vids"
	// maxChunks bounds the chunks that are counted of one file, beside maxHeaders. An
	// hour of video and sound at 30 frames per second has some 216,000.
	maxChunks = 1 << 18
	// maxStreams is the number of streams that the identifiers of chunks can name.
	maxStreams = 100
	// maxSide is the largest width or height of a picture, in pixels.
	maxSide = 1 << 16
)

// stream is the header of one stream of an AVI. (AVISTREAMHEADER in Microsoft's AVI
// RIFF File Reference)
type stream struct {
	// A frame lasts scale/rate seconds.
	scale, rate uint32
	// frames is the declared number of frames.
	frames uint32
	// described means that the format of the stream is there.
	described bool
	// width and height are in pixels, 0 if not declared.
	width, height int
}

// avi is an AVI file: its headers, and the frames of its first picture stream.
type avi struct {
	reader  *reader
	streams []stream
	// picture is the number of the first picture stream, -1 without one.
	picture int
	// interval is the number of microseconds per frame of the main header.
	interval uint32
	frames   uint64
	bytes    int64
	// mediaEnd is the declared end of the last media list. open means that the list
	// declares no length, or that bytes within it are no chunk.
	mediaEnd int64
	open     bool
	// chunks counts the visited ones. skipped means that a list has more than have been
	// visited.
	chunks  int
	skipped bool
}

// chunk is the place of one chunk. end is that of the next one.
type chunk struct {
	// id is the identifier, that of a list followed by a blank and its kind.
	id                  string
	size                uint32
	start, payload, end int64
}

func beginsLikeAVI(r *reader) (bool, error) {
	header, err := r.header(0)
	return len(header) >= listHeader && string(header[:4]) == "RIFF" && string(header[8:12]) == "AVI ", err
}

// inspectAVI is the verdict about an AVI: a picture stream with data. The length of
// the whole file in its header is of no importance.
func inspectAVI(r *reader) (Video, error) {
	r.spent.limit += maxChunks
	a := &avi{reader: r, picture: -1}
	err := a.readAll()
	switch {
	case err != nil:
		return Video{}, err
	case len(a.streams) == 0:
		return Video{}, problemf(NoIndex, 0, "it has no AVI header")
	case a.picture < 0:
		return Video{}, problemf(NoPicture, 0, "it has no picture stream")
	case !a.streams[a.picture].described:
		return Video{}, problemf(NoPicture, 0, "its picture stream names no format")
	case a.bytes == 0:
		return Video{}, problemf(NoPicture, 0, "its picture stream has no data")
	}
	pictures := a.streams[a.picture]
	if a.skipped && pictures.frames < unknownFrames {
		a.frames = max(a.frames, uint64(pictures.frames))
	}
	if a.open && pictures.frames < unknownFrames && a.frames < uint64(pictures.frames) {
		return Video{}, problemf(CutOff, r.size, "the video is cut off: it has %d of %d frames", a.frames, pictures.frames)
	}
	video := Video{Width: pictures.width, Height: pictures.height, Extension: ".avi"}
	if pictures.scale > 0 && pictures.rate > 0 {
		video.Frame = toDuration(uint64(pictures.scale), pictures.rate)
		video.Duration = toDuration(a.frames*uint64(pictures.scale), pictures.rate)
	} else {
		video.Frame = time.Duration(a.interval) * time.Microsecond
		video.Duration = toDuration(a.frames*uint64(a.interval), uint32(time.Second/time.Microsecond))
	}
	return video, nil
}

// readAll visits the chunks in their order. Only the header of a list is skipped, so its
// chunks come next and those behind it follow. After maxChunks it skips the rest of media
// lists that declare their length, which lies within the file.
func (a *avi) readAll() error {
	for at, end := int64(listHeader), a.reader.size; end-at >= chunkHeader; {
		found, err := a.chunk(at)
		if err != nil || found.id == "" {
			a.open = a.open || at < a.mediaEnd
			return err
		}
		if err := a.visit(found); err != nil {
			return err
		}
		if a.chunks++; a.chunks > maxChunks && found.end < a.mediaEnd {
			at, a.skipped = a.mediaEnd+(a.mediaEnd&1), true
			continue
		}
		switch found.id {
		case "RIFF AVIX", "LIST hdrl", "LIST strl", "LIST movi", "LIST rec ":
			at = found.payload
		default:
			at = found.end
		}
	}
	return nil
}

// chunk reads a header. The identifier is empty if none begins here.
func (a *avi) chunk(at int64) (chunk, error) {
	header, err := a.reader.header(at)
	if err != nil || strings.Trim(string(header[:4]), idLetters) != "" {
		return chunk{}, err
	}
	found := chunk{id: string(header[:4]), size: binary.LittleEndian.Uint32(header[4:]), start: at, payload: at + chunkHeader}
	found.end = found.payload + int64(found.size) + int64(found.size&1)
	if (found.id == "LIST" || found.id == "RIFF") && len(header) >= listHeader {
		found.id += " " + string(header[8:listHeader])
		found.payload = at + listHeader
	}
	return found, nil
}

// idLetters are those of identifiers.
const idLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 _"

func (a *avi) visit(found chunk) error {
	switch found.id {
	case "avih":
		header, err := a.numbers(found, 1)
		if err == nil {
			a.interval = header[0]
		}
		return err
	case "strh":
		if len(a.streams) == maxStreams {
			return problemf(Excessive, found.start, "it has more than %d streams", maxStreams)
		}
		header, err := a.numbers(found, 9)
		if err != nil {
			return err
		}
		if kind := string(binary.LittleEndian.AppendUint32(nil, header[0])); kind == streamPicture && a.picture < 0 {
			a.picture = len(a.streams)
		}
		a.streams = append(a.streams, stream{scale: header[5], rate: header[6], frames: header[8]})
	case "LIST movi":
		switch found.size {
		case 0, unknownSize:
			a.open = true
		default:
			if a.mediaEnd = found.start + chunkHeader + int64(found.size); a.mediaEnd > a.reader.size {
				return problemf(CutOff, a.reader.size, "the video is cut off: its media end at byte %d, and the file has %d", a.mediaEnd, a.reader.size)
			}
		}
	case "strf":
		if last := len(a.streams) - 1; last >= 0 {
			return a.describe(&a.streams[last], found)
		}
	case "indx":
		return a.checkParts(found)
	case "idx1":
		// Players that use a part of the index show a part of the frames.
		if found.payload+int64(found.size) > a.reader.size {
			return problemf(CutOff, found.start, "the video is cut off: its index at byte %d runs past the end of the file", found.start)
		}
	default:
		return a.count(found)
	}
	return nil
}

// describe reads the size of the picture from the format of a stream
// (BITMAPINFOHEADER). The height is negative if the first row is the top one.
func (a *avi) describe(s *stream, found chunk) error {
	s.described = true
	if len(a.streams)-1 != a.picture || found.size < 12 {
		return nil
	}
	format, err := a.numbers(found, 3)
	if err != nil {
		return err
	}
	height := int64(int32(format[2])) //nolint:gosec // a signed field
	if width, height := int64(format[1]), max(height, -height); width <= maxSide && height <= maxSide {
		s.width, s.height = int(width), int(height)
	}
	return nil
}

// checkParts checks that the parts that an index of indexes names are there: a file that
// ends between two parts is cut off. (OpenDML AVI File Format Extensions, 3.0)
func (a *avi) checkParts(found chunk) error {
	const header, entry = 24, 16 // bytes
	room := min(int64(found.size), a.reader.size-found.payload) - header
	if room < entry {
		return nil
	}
	fields, err := a.numbers(found, 2)
	if err != nil {
		return err
	}
	// An index of another kind lists chunks.
	if kind := fields[0] >> 24; kind != 0 {
		return nil
	}
	count := min(int64(fields[1]), room/entry)
	parts, err := a.reader.table(box{payload: found.payload, end: found.payload + header + room}, header, count, entry)
	if err != nil {
		return err
	}
	for ; count > 0; count-- {
		part, err := parts.next(entry)
		if err != nil {
			return err
		}
		end := add(binary.LittleEndian.Uint64(part), uint64(binary.LittleEndian.Uint32(part[8:])))
		if end > uint64(a.reader.size) { //nolint:gosec // not negative
			return problemf(CutOff, a.reader.size, "the video is cut off: it has a part up to byte %d, and the file has %d", end, a.reader.size)
		}
	}
	return nil
}

// numbers reads the first numbers of a header.
func (a *avi) numbers(found chunk, n int) ([]uint32, error) {
	if int64(found.size) < int64(4*n) || a.reader.size-found.payload < int64(4*n) {
		return nil, problemf(Malformed, found.start, "its %s header at byte %d is too short", found.id, found.start)
	}
	bytes := make([]byte, 4*n)
	if err := a.reader.read(bytes, found.payload); err != nil {
		return nil, err
	}
	all := make([]uint32, n)
	for i := range all {
		all[i] = binary.LittleEndian.Uint32(bytes[4*i:])
	}
	return all, nil
}

// count adds a frame of the picture stream. The identifier of media begins with the
// number of their stream, in two digits.
func (a *avi) count(found chunk) error {
	number := strings.IndexByte(digits, found.id[0])*10 + strings.IndexByte(digits, found.id[1])
	if strings.Trim(found.id[:2], digits) != "" || number >= len(a.streams) {
		return nil
	}
	if end := found.payload + int64(found.size); end > a.reader.size {
		return problemf(CutOff, found.start, "the video is cut off: the data of its stream %d at byte %d end at %d, and the file has %d bytes", number, found.start, end, a.reader.size)
	}
	if number == a.picture {
		a.frames++
		a.bytes += int64(found.size)
	}
	return nil
}

const digits = "0123456789"
