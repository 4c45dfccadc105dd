// Package manifest reads a list of jobs, in JSON Lines or CSV, and finds its mistakes
// with their line numbers. Its memory grows with the ids of the jobs, not with their
// content.
package manifest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Limits of a manifest. MaxBytes and MaxLine are in bytes, MaxLines counts the lines
// that hold a job.
const (
	MaxBytes = 64 << 20
	MaxLine  = 1 << 20
	MaxLines = 100_000
)

// Order is one job of a manifest.
type Order struct {
	// Line is the line of the manifest, from 1.
	Line int `json:"line"`
	// ID is the workflow id of the job, Adopts means that it submits nothing.
	ID     string `json:"id"`
	Adopts bool   `json:"adopts,omitempty"`
	// Input is the input of the job.
	Input json.RawMessage `json:"input,omitempty"`
	// Repeats is the first line with this id if that is another one, else 0.
	Repeats int `json:"repeats,omitempty"`
	// Object is the line as a JSON object, valid until the next line is read.
	Object []byte `json:"-"`
}

// Format reads the lines of a manifest.
type Format struct {
	// Parse reads one job, as a JSON object. It sets ID, Adopts and Input; equal jobs
	// have equal inputs.
	Parse func(object []byte) (Order, error)
	// CheckColumns checks the header of a CSV file.
	CheckColumns func(names []string) error
}

// Summary describes a manifest that was read to its end.
type Summary struct {
	// SHA256 is in lower-case hexadecimal.
	SHA256 string
	// Lines counts the lines that hold a job, Duplicates those of them that repeat
	// another one.
	Lines, Duplicates int
}

// ErrTooLarge means that a manifest has more than MaxBytes.
var ErrTooLarge = errors.New("it is larger than 64 MiB: split it")

// IsCSV reports whether a file with this name is read as CSV.
func IsCSV(name string) bool { return strings.HasSuffix(strings.ToLower(name), ".csv") }

// Read passes each job to yield, in the order of the manifest, until yield returns
// false, and hashes the manifest to its end in any case. The error is *Problems if
// lines can't be used, in which case the summary is that of the others.
func (f Format) Read(from io.Reader, csv bool, yield func(Order) bool) (Summary, error) {
	return f.ReadFrom(0, from, csv, yield)
}

// ReadFrom is Read without the jobs before an index, from 0: their lines are counted
// and hashed, but not parsed, so that those that can't be used count, too. A line that
// repeats one of them is passed as if it did not.
func (f Format) ReadFrom(index int, from io.Reader, csv bool, yield func(Order) bool) (Summary, error) {
	digest := sha256.New()
	limited := io.LimitReader(from, MaxBytes+1)
	size := &counter{}
	source := io.TeeReader(limited, io.MultiWriter(digest, size))
	reading := &reading{format: f, from: index, yield: yield, seen: map[string]first{}}
	var err error
	if csv {
		err = reading.csv(source)
	} else {
		err = Lines(source, reading.line)
	}
	problems, wrongLines := errors.AsType[*Problems](err)
	if err != nil && !wrongLines && !errors.Is(err, errStop) {
		return Summary{}, err
	}
	if _, err := io.Copy(io.Discard, source); err != nil {
		return Summary{}, fmt.Errorf("read the manifest: %w", err)
	}
	if size.bytes > MaxBytes {
		return Summary{}, ErrTooLarge
	}
	summary := Summary{SHA256: hex.EncodeToString(digest.Sum(nil)), Lines: reading.lines, Duplicates: reading.duplicates}
	if wrongLines {
		return summary, problems
	}
	return summary, nil
}

type counter struct{ bytes int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.bytes += int64(len(p))
	return len(p), nil
}

// errStop ends the reading after yield has returned false.
var errStop = errors.New("stop")

// reading is the state of ReadFrom.
type reading struct {
	format Format
	// from is the index of the first job that is parsed.
	from  int
	yield func(Order) bool
	// seen are the jobs by their ids.
	seen              map[string]first
	lines, duplicates int
	// full means that a line above the limit was reported.
	full bool
}

// first is the first job with an id.
type first struct {
	line  int
	input [sha256.Size]byte
}

// skip counts a job before the first that is parsed, and reports whether there is one.
func (r *reading) skip() bool {
	if r.lines >= r.from {
		return false
	}
	r.lines++
	return true
}

// line reads one job. Its error is about that line, or errStop.
func (r *reading) line(number int, object []byte) error {
	switch {
	case r.full:
		return nil
	case r.lines == MaxLines:
		r.full = true
		return fmt.Errorf("these are more than %d jobs: split the manifest", MaxLines)
	case r.skip():
		return nil
	}
	order, err := r.format.Parse(object)
	if err != nil {
		return err
	}
	order.Line, order.Object = number, object
	input := sha256.Sum256(order.Input)
	earlier, repeats := r.seen[order.ID]
	switch {
	case repeats && earlier.input != input:
		return fmt.Errorf("it is the same job as line %d but differs in how it is run; give it a key of its own for another, paid take", earlier.line)
	case repeats:
		order.Repeats = earlier.line
		r.duplicates++
	default:
		r.seen[order.ID] = first{number, input}
	}
	r.lines++
	if !r.yield(order) {
		return errStop
	}
	return nil
}

// Encode returns JSON Lines of the items. A null is a blank line, so that the items of
// a file keep its line numbers. It is idempotent on items that were sent to Temporal.
func Encode(items []json.RawMessage) ([]byte, error) {
	var lines bytes.Buffer
	for i, item := range items {
		// This removes the line breaks and the blanks of another client's JSON.
		line, err := json.Marshal(item)
		if err != nil {
			return nil, fmt.Errorf("item %d is no JSON: %w", i+1, err)
		}
		if string(line) != "null" {
			lines.Write(line)
		}
		lines.WriteByte('\n')
	}
	return lines.Bytes(), nil
}
