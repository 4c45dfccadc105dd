package manifest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/dustin/go-humanize/english"

	"lumaflow/internal/oneline"
)

// maxProblems bounds the problems that are described one by one, maxText the text of
// one in bytes.
const (
	maxProblems = 20
	maxText     = 300
)

// Problems are the lines of a manifest that can't be used.
type Problems struct {
	// First are the first of them, Count counts all.
	First []Problem
	Count int
}

// Problem is one line that can't be used.
type Problem struct {
	Line int
	Text string
}

// Error is one line: the first problem and the number of the others.
func (p *Problems) Error() string {
	text := fmt.Sprintf("line %d: %s", p.First[0].Line, p.First[0].Text)
	if p.Count > 1 {
		text += "; " + english.Plural(p.Count-1, "more line", "") + " can't be used either"
	}
	return text
}

func (p *Problems) add(line int, err error) {
	if p.Count++; len(p.First) < maxProblems {
		p.First = append(p.First, Problem{line, oneline.Truncate(err.Error(), maxText)})
	}
}

// errOrNil is nil if there is no problem.
func (p *Problems) errOrNil() error {
	if p.Count == 0 {
		return nil
	}
	return p
}

// Lines passes the lines of a text to read: without blank lines, without blanks
// around a line and without a byte order mark. The errors of read become *Problems,
// and so do lines that are longer than MaxLine or no UTF-8.
func Lines(from io.Reader, read func(number int, line []byte) error) error {
	buffered := bufio.NewReaderSize(from, MaxLine+1)
	problems := &Problems{}
	for number := 1; ; number++ {
		line, err := buffered.ReadSlice('\n')
		long := errors.Is(err, bufio.ErrBufferFull)
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = buffered.ReadSlice('\n')
		}
		if err != nil && err != io.EOF {
			return fmt.Errorf("read line %d: %w", number, err)
		}
		if number == 1 {
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		failed := readLine(number, bytes.TrimSpace(line), long, read)
		switch {
		case errors.Is(failed, errStop):
			return failed
		case failed != nil:
			problems.add(number, failed)
		}
		if err == io.EOF {
			return problems.errOrNil()
		}
	}
}

func readLine(number int, line []byte, long bool, read func(int, []byte) error) error {
	switch {
	case long:
		return errors.New("it is longer than 1 MiB")
	case len(line) == 0:
		return nil
	case !utf8.Valid(line):
		return errors.New("it is no text (UTF-8)")
	default:
		return read(number, line)
	}
}
