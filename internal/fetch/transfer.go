package fetch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"lumaflow/internal/stall"
)

// transfer is a response that carries the file, or a part of it, into the work
// file of a download.
type transfer struct {
	download *download
	response *http.Response
	watchdog *stall.Watchdog
}

// full stores a 200: the file from its first byte, also in response to a Range.
func (t transfer) full(ctx context.Context) error {
	work, length := t.download.work, t.response.ContentLength
	if err := t.check(length); err != nil {
		return err
	}
	tag, strong := entityTag(t.response.Header.Get("ETag"))
	t.download.etag = tag
	if !strong {
		tag = ""
	}
	if err := work.restart(tag, length); err != nil {
		return t.download.fail(Disk, 0, err)
	}
	return t.store(ctx, length)
}

// part stores a 206 that answers a Range from an offset. The Content-Range
// decides where its bytes belong.
func (t transfer) part(ctx context.Context, from int64) error {
	work, length := t.download.work, t.response.ContentLength
	span, err := parseContentRange(t.response.Header.Get("Content-Range"))
	tag, _ := entityTag(t.response.Header.Get("ETag"))
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", errRestart, err)
	case tag != work.etag:
		return fmt.Errorf("%w: the file has changed", errRestart)
	case span.first < 0 || span.first > from:
		return fmt.Errorf("%w: the range starts at %d instead of %d", errRestart, span.first, from)
	case work.length >= 0 && span.total >= 0 && span.total != work.length:
		return fmt.Errorf("%w: the file had %d bytes and now has %d", errRestart, work.length, span.total)
	case length >= 0 && length != span.last-span.first+1:
		return fmt.Errorf("%w: the body is not as long as the range", errRestart)
	}
	if err := t.check(span.total); err != nil {
		return err
	}
	t.download.etag = tag
	if work.length < 0 {
		work.length = span.total
	}
	if work.length >= 0 && span.last >= work.length {
		return fmt.Errorf("%w: the range ends behind the file", errRestart)
	}
	if work.complete() {
		return nil
	}
	if span.first < work.size {
		progress := func(done, total int64) {
			t.watchdog.Progress()
			t.download.progress(done, total)
		}
		if err := work.rewind(ctx, span.first, progress); err != nil {
			return t.download.localFailure(ctx, err)
		}
	}
	return t.store(ctx, span.last-span.first+1)
}

// unsatisfiable handles a 416. A server that honours If-Range sends it only for
// an unchanged file, so the work file is complete if the lengths match.
func (t transfer) unsatisfiable() error {
	work := t.download.work
	span, err := parseContentRange(t.response.Header.Get("Content-Range"))
	if err != nil || span.first >= 0 || span.total != work.size || work.length >= 0 && span.total != work.length {
		return fmt.Errorf("%w: the length of the file has changed", errRestart)
	}
	t.download.etag = work.etag
	work.length = span.total
	return nil
}

// check rejects a response that can't be the file before it touches the bytes
// of an earlier attempt.
func (t transfer) check(total int64) error {
	status, limit := t.response.StatusCode, t.download.fetcher.options.MaxBytes
	if reason := notVideo(t.response.Header); reason != "" {
		return t.download.fail(Rejected, status, errors.New(reason))
	}
	if total > limit {
		return t.download.fail(Rejected, status, fmt.Errorf("the file has %d bytes, which is over the limit of %d", total, limit))
	}
	return nil
}

// store appends the body to the work file. It accepts exactly the expected
// number of bytes, or any number if that is negative.
func (t transfer) store(ctx context.Context, expected int64) error {
	work, status, limit := t.download.work, t.response.StatusCode, t.download.fetcher.options.MaxBytes
	buffer := make([]byte, bufferSize)
	for left := expected; ; {
		n, err := t.response.Body.Read(buffer)
		if expected >= 0 && int64(n) > left {
			return t.download.reject(status, errors.New("the server sent more bytes than it declared"))
		}
		left -= int64(n)
		if work.size+int64(n) > limit {
			return t.download.reject(status, fmt.Errorf("the file is over the limit of %d bytes", limit))
		}
		if n > 0 {
			t.watchdog.Progress()
			if err := work.append(buffer[:n]); err != nil {
				return t.download.fail(Disk, 0, err)
			}
			t.download.progress(work.size, work.length)
		}
		if err != nil {
			return t.finish(ctx, err)
		}
	}
}

// finish saves the checkpoint at the end of a body. The cause is the error that
// ended it, io.EOF after a regular end.
func (t transfer) finish(ctx context.Context, cause error) error {
	work := t.download.work
	if err := work.save(); err != nil {
		return t.download.fail(Disk, 0, err)
	}
	switch {
	case !errors.Is(cause, io.EOF):
		return t.download.fail(Transient, 0, fmt.Errorf("after %d bytes: %w", work.size, plain(cmp.Or(context.Cause(ctx), cause))))
	case work.length >= 0 && work.size < work.length:
		return t.download.fail(Transient, 0, fmt.Errorf("the connection ended after %d of %d bytes", work.size, work.length))
	default:
		t.download.framed = slices.Contains(t.response.TransferEncoding, "chunked")
		return nil
	}
}
