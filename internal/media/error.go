package media

import "fmt"

// Problem is the kind of an Error.
type Problem string

// The problems of a file.
const (
	// NotVideo is a file that begins like none of the formats.
	NotVideo Problem = "not a video"
	// NoIndex is a file without the description of its tracks.
	NoIndex Problem = "no index"
	// NoPicture is an index without a picture track that has samples.
	NoPicture Problem = "no picture"
	// CutOff is an index that names bytes behind the end of the file.
	CutOff Problem = "cut off"
	// Unfinished is a fragmented file without a mark of its end.
	Unfinished Problem = "unfinished"
	// Malformed is an index that contradicts itself or the format.
	Malformed Problem = "malformed"
	// Excessive is an index beyond the limits of an inspection.
	Excessive Problem = "excessive"
)

// Error is the reason why a file is no video. Every other error of this package is
// a failure to read the file.
type Error struct {
	Problem Problem
	// Offset is the byte of the file at which the problem is.
	Offset int64
	// Track is the id of the track that has the problem, 0 if no single track has it.
	Track uint32
	// reason is one sentence without a period.
	reason string
}

func (e *Error) Error() string { return e.reason }

func problemf(problem Problem, offset int64, format string, args ...any) error {
	return &Error{Problem: problem, Offset: offset, reason: fmt.Sprintf(format, args...)}
}
