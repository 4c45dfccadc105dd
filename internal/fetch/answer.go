package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// answer is a response with the file in it, or a part of the file.
type answer struct {
	*download
	*http.Response
	watch *watchdog
}

// whole stores a 200: the file from its first byte, whatever was asked for.
func (a answer) whole() error {
	if err := a.admissible(a.ContentLength); err != nil {
		return err
	}
	tag, strong := entityTag(a.Header.Get("ETag"))
	a.etag = tag
	if !strong {
		tag = ""
	}
	if err := a.work.restart(tag, a.ContentLength); err != nil {
		return a.fail(Disk, 0, err)
	}
	return a.store(a.ContentLength)
}

// part stores a 206, from wherever it says that it starts.
func (a answer) part(ctx context.Context, from int64) error {
	span, err := parseContentRange(a.Header.Get("Content-Range"))
	tag, _ := entityTag(a.Header.Get("ETag"))
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", errStartOver, err)
	case tag != a.work.etag:
		return fmt.Errorf("%w: the file has changed", errStartOver)
	case span.first < 0 || span.first > from:
		return fmt.Errorf("%w: the range starts at %d instead of %d", errStartOver, span.first, from)
	case a.work.length >= 0 && span.total >= 0 && span.total != a.work.length:
		return fmt.Errorf("%w: the file had %d bytes and now has %d", errStartOver, a.work.length, span.total)
	case a.ContentLength >= 0 && a.ContentLength != span.last-span.first+1:
		return fmt.Errorf("%w: the range is of another length than the body", errStartOver)
	}
	if err := a.admissible(span.total); err != nil {
		return err
	}
	a.etag = tag
	if a.work.length < 0 {
		a.work.length = span.total
	}
	if a.work.length >= 0 && span.last >= a.work.length {
		return fmt.Errorf("%w: the range ends behind the file", errStartOver)
	}
	if a.work.complete() {
		return nil
	}
	if span.first < a.work.size {
		reread := func(done, total int64) {
			a.watch.progress()
			a.progress(done, total)
		}
		if err := a.work.rewind(ctx, span.first, reread); err != nil {
			return a.local(ctx, err)
		}
	}
	return a.store(span.last - span.first + 1)
}

// nothingLeft judges a 416. A server that heeds If-Range sends it only for the
// file we know, so it is either all here or more is here than there should be.
func (a answer) nothingLeft() error {
	span, err := parseContentRange(a.Header.Get("Content-Range"))
	if err != nil || span.first >= 0 || span.total != a.work.size || a.work.length >= 0 && span.total != a.work.length {
		return fmt.Errorf("%w: the file is not as long as before", errStartOver)
	}
	a.etag = a.work.etag
	a.work.length = span.total
	return nil
}

// admissible refuses answers that can't be the file before they touch what an
// earlier attempt left.
func (a answer) admissible(total int64) error {
	if reason := notVideo(a.Header); reason != "" {
		return a.fail(Rejected, a.StatusCode, errors.New(reason))
	}
	if total > a.MaxBytes {
		return a.fail(Rejected, a.StatusCode, fmt.Errorf("the file has %d bytes, which is over the limit of %d", total, a.MaxBytes))
	}
	return nil
}

// store copies the body to the end of the work file. It is to hold expected
// bytes, or any number if that is negative.
func (a answer) store(expected int64) error {
	buffer := make([]byte, bufferSize)
	for left := expected; ; {
		n, err := a.Body.Read(buffer)
		if expected >= 0 && int64(n) > left {
			return a.reject(a.StatusCode, errors.New("the server sent more bytes than it promised"))
		}
		left -= int64(n)
		if a.work.size+int64(n) > a.MaxBytes {
			return a.reject(a.StatusCode, fmt.Errorf("the file is over the limit of %d bytes", a.MaxBytes))
		}
		if n > 0 {
			a.watch.progress()
			if err := a.work.append(buffer[:n]); err != nil {
				return a.fail(Disk, 0, err)
			}
			a.progress(a.work.size, a.work.length)
		}
		if err != nil {
			return a.ended(err)
		}
	}
}

// ended is called with the error that ended a body, io.EOF if it ended well.
func (a answer) ended(cause error) error {
	if err := a.work.save(); err != nil {
		return a.fail(Disk, 0, err)
	}
	switch {
	case !errors.Is(cause, io.EOF):
		return a.fail(Transient, 0, fmt.Errorf("after %d bytes: %w", a.work.size, plain(explain(a.watch.ctx, cause))))
	case a.work.length >= 0 && a.work.size < a.work.length:
		return a.fail(Transient, 0, fmt.Errorf("the connection ended after %d of %d bytes", a.work.size, a.work.length))
	default:
		return nil
	}
}
