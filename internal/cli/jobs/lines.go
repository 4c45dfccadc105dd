package jobs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"lumaflow/internal/command"
	"lumaflow/internal/manifest"
	"lumaflow/internal/oneline"
)

const (
	// maxFile bounds a file of jobs in bytes, maxOrders in jobs.
	maxFile   = manifest.MaxBytes
	maxOrders = manifest.MaxLines
)

// sourceName is the name of a file, or standard input for -.
func sourceName(path string) string {
	if path == "-" {
		return "standard input"
	}
	return oneline.Clean(path)
}

// readLines passes the lines of a file, or of stdin if path is -, to read: without
// blank lines and without blanks around a line. Errors of read become one usage
// error that names the first such line and counts the others.
func readLines(ctx context.Context, path string, stdin io.Reader, read func(number int, line []byte) error) error {
	data, err := readFile(ctx, path, stdin, maxFile)
	if err != nil {
		return fileError(path, err)
	}
	err = manifest.Lines(bytes.NewReader(data), read)
	if problems, wrong := errors.AsType[*manifest.Problems](err); wrong {
		return command.Usagef("%s %w; nothing is started", sourceName(path), problems)
	}
	return err
}

// fileError describes the failure of readFile. Errors about the file are usage errors.
func fileError(path string, err error) error {
	switch name := sourceName(path); {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("read %s: interrupted: %w", name, err)
	case errors.Is(err, errTooLarge):
		return command.Usagef("%s is larger than 64 MiB: split it", name)
	default:
		return command.Usagef("%w", err)
	}
}

// errTooLarge means that a file exceeds the limit of its reader.
var errTooLarge = errors.New("too large")

// readFile reads a file, or stdin if path is -, of at most limit bytes. It returns
// when ctx ends, although a read from a terminal can't be interrupted: that
// goroutine is left behind.
func readFile(ctx context.Context, path string, stdin io.Reader, limit int64) ([]byte, error) {
	from := stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer func() { _ = file.Close() }()
		from = file
	}
	type result struct {
		data []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		data, err := io.ReadAll(io.LimitReader(from, limit+1))
		if err == nil && int64(len(data)) > limit {
			err = errTooLarge
		}
		done <- result{data, err}
	}()
	select {
	case read := <-done:
		return read.data, read.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
