package starter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"lumaflow/internal/command"
)

const (
	// maxFile and maxLine bound, in bytes, a file that asks for many jobs,
	// maxOrders how many it may ask for.
	maxFile   = 64 << 20
	maxLine   = 1 << 20
	maxOrders = 100_000
)

// source names what a list of jobs is read from: a file, or - for standard
// input.
func source(path string) string {
	if path == "-" {
		return "standard input"
	}
	return plain(path)
}

// readLines has read take the lines of a file, or of stdin if path is -, without
// the blanks around them and the blank ones. What read finds wrong is a usage
// error that names the first such line and counts the others.
func readLines(ctx context.Context, path string, stdin io.Reader, read func(number int, line []byte) error) error {
	from := stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return command.Usagef("%w", err)
		}
		defer file.Close()
		from = file
	}
	data, err := readAll(ctx, io.LimitReader(from, maxFile+1))
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("read %s: interrupted: %w", source(path), err)
	case err != nil:
		return command.Usagef("%w", err)
	case len(data) > maxFile:
		return command.Usagef("%s is larger than 64 MiB: split it", source(path))
	}
	var first error
	number, bad := 0, 0
	for line := range bytes.Lines(bytes.TrimPrefix(data, []byte("\ufeff"))) {
		number++
		if err := readLine(number, bytes.TrimSpace(line), read); err != nil {
			if bad++; bad == 1 {
				first = fmt.Errorf("%s line %d: %s", source(path), number, plain(err.Error()))
			}
		}
	}
	switch {
	case bad > 1:
		return command.Usagef("%w; %s can't be used either, nothing is started", first, counted(bad-1, "more line"))
	case bad == 1:
		return command.Usagef("%w; nothing is started", first)
	default:
		return nil
	}
}

func readLine(number int, line []byte, read func(int, []byte) error) error {
	switch {
	case len(line) == 0:
		return nil
	case len(line) > maxLine:
		return errors.New("it is longer than 1 MiB")
	case !utf8.Valid(line):
		return errors.New("it is no text (UTF-8)")
	default:
		return read(number, line)
	}
}

// quoted repeats what somebody wrote, but not at length.
func quoted(text string) string {
	if len(text) > 40 {
		text = strings.ToValidUTF8(text[:40], "") + "…"
	}
	return fmt.Sprintf("%q", text)
}
