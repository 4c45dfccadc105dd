package fetch

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"lumaflow/internal/coding"
	"lumaflow/internal/stall"
)

// A compressed response that expands bombRatio times, and to more than bombSize bytes,
// is no video: those hardly compress.
const (
	bombSize  = 64 << 20
	bombRatio = 100
)

// transfer is a response that may carry the file, or a part of it, into the work
// file of a download.
type transfer struct {
	download *download
	response *http.Response
	watchdog *stall.Watchdog
	// body is the response's without its content coding, which coding names.
	body   *bufio.Reader
	coding string
	// received counts the bytes of the response before they are decoded.
	received *counter
}

// receive stores a response to a request that asked for the file from an offset, 0
// for all of it. Where the status, the Content-Range and the bytes contradict each
// other, the bytes decide: what opens like a video is the file from its first byte.
func (t transfer) receive(ctx context.Context, from int64, resuming bool) error {
	work, status, length := t.download.work, t.response.StatusCode, t.response.ContentLength
	switch {
	case status == http.StatusRequestedRangeNotSatisfiable && resuming:
		return t.unsatisfiable()
	case t.response.Body == http.NoBody && status != http.StatusOK && status != http.StatusPartialContent:
		return statusError(t.response)
	case status < 200 || status > 299:
		return t.refused(ctx)
	}
	t.received = &counter{reader: t.response.Body, progress: t.watchdog.Progress}
	var err error
	if t.body, t.coding, err = coding.NewReader(t.received, t.response.Header); err != nil {
		return t.unreadable(ctx, err)
	}
	span, err := parseContentRange(t.response.Header.Get("Content-Range"))
	if err == nil && span.first < 0 {
		err = errContentRange
	}
	head, _ := t.body.Peek(headSize)
	opens, part := opensLikeVideo(head), status == http.StatusPartialContent
	fits := err == nil && span.first > 0 && (length < 0 || length == span.last-span.first+1)
	switch {
	case resuming && fits && !beginsFile(head):
		return t.part(ctx, span, from)
	case err == nil && span.first == 0:
		return t.whole(ctx, span, true)
	case opens, !part && !fits, resuming && length >= 0 && length == work.length:
		return t.whole(ctx, span, false)
	case resuming && err != nil:
		return fmt.Errorf("%w: %w", errRestart, err)
	case resuming:
		return fmt.Errorf("%w: the body is not as long as the range", errRestart)
	default:
		return t.download.fail(Transient, status, errors.New("the server sent a range that was not requested"))
	}
}

// refused handles a response with an error status. Its body is the file if it opens like
// a video and verifies; otherwise the status decides. The first bytes must arrive within
// one stall timeout, however slowly: without them the status decides as well.
func (t transfer) refused(ctx context.Context) error {
	failed := statusError(t.response)
	t.received = &counter{reader: t.response.Body, progress: func() {}}
	var err error
	if t.body, t.coding, err = coding.NewReader(t.received, t.response.Header); err != nil {
		return failed
	}
	if head, _ := t.body.Peek(headSize); !opensLikeVideo(head) {
		return failed
	}
	t.received.progress = t.watchdog.Progress
	t.download.refusal = failed
	span, err := parseContentRange(t.response.Header.Get("Content-Range"))
	return t.whole(ctx, span, err == nil && span.first == 0)
}

// whole stores the file from its first byte, also in response to a Range. With
// ranged, span is the part of it that the response has.
func (t transfer) whole(ctx context.Context, span contentRange, ranged bool) error {
	work, expected := t.download.work, t.response.ContentLength
	total := expected
	if ranged {
		if total = span.total; total >= 0 {
			total = max(total, expected)
		}
	}
	tag, strong := entityTag(t.response.Header.Get("ETag"))
	if t.coding != "" {
		// The length and the ETag are those of the coded bytes: without a checkpoint the
		// next attempt starts from the first byte.
		expected, total, strong = -1, -1, false
	}
	if t.download.refusal != nil {
		// The ETag may be that of an error page: the next attempt starts from the first
		// byte.
		strong = false
	}
	if err := t.check(total); err != nil {
		return err
	}
	t.download.etag, t.download.label = tag, doubtfulLabel(t.response.Header)
	t.download.unbounded = ranged && span.total < 0 || !ranged && t.response.StatusCode == http.StatusPartialContent
	if !strong {
		tag = ""
	}
	if err := work.restart(tag, total); err != nil {
		return t.download.fail(Disk, 0, err)
	}
	if err := t.store(ctx, expected); err != nil {
		return err
	}
	if work.length >= 0 {
		// A Content-Range may declare fewer bytes than came.
		work.length = work.size
	}
	return nil
}

// part stores a part of the file that answers a Range from an offset. Its
// Content-Range decides where its bytes belong.
func (t transfer) part(ctx context.Context, span contentRange, from int64) error {
	work := t.download.work
	tag, _ := entityTag(t.response.Header.Get("ETag"))
	switch {
	case t.coding != "" || coding.Labelled(t.response.Header, codings...):
		return fmt.Errorf("%w: the range may be one of the compressed file", errRestart)
	case labelledText(t.response.Header) && insteadOfVideo(t.body) != "":
		return fmt.Errorf("%w: %s came instead of the range", errRestart, insteadOfVideo(t.body))
	case tag != work.etag:
		return fmt.Errorf("%w: the file has changed", errRestart)
	case span.first > from:
		return fmt.Errorf("%w: the range starts at %d instead of %d", errRestart, span.first, from)
	case work.length >= 0 && span.total >= 0 && span.total != work.length:
		return fmt.Errorf("%w: the file had %d bytes and now has %d", errRestart, work.length, span.total)
	}
	if err := t.checkSize(span.total); err != nil {
		return err
	}
	t.download.etag = tag
	if work.length < 0 {
		work.length = span.total
	}
	t.download.unbounded = work.length < 0
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

// check rejects a response that can't be the file before it touches the bytes of an
// earlier attempt.
func (t transfer) check(total int64) error {
	if name := insteadOfVideo(t.body); name != "" {
		return t.download.fail(Rejected, t.response.StatusCode, errors.New(name+" came instead of a video"))
	}
	return t.checkSize(total)
}

func (t transfer) checkSize(total int64) error {
	if limit := t.download.fetcher.options.MaxBytes; total > limit {
		return t.download.fail(Rejected, t.response.StatusCode, fmt.Errorf("the file has %d bytes, which is over the limit of %d", total, limit))
	}
	return nil
}

// store appends the body to the work file. It accepts exactly the expected
// number of bytes, or any number if that is negative.
func (t transfer) store(ctx context.Context, expected int64) error {
	work, status, limit := t.download.work, t.response.StatusCode, t.download.fetcher.options.MaxBytes
	buffer := make([]byte, bufferSize)
	for left := expected; ; {
		n, err := t.body.Read(buffer)
		if expected >= 0 && int64(n) > left {
			return t.download.reject(status, errors.New("the server sent more bytes than it declared"))
		}
		left -= int64(n)
		if work.size+int64(n) > limit {
			return t.download.reject(status, fmt.Errorf("the file is over the limit of %d bytes", limit))
		}
		if t.coding != "" && work.size > bombSize && work.size/bombRatio > t.received.bytes {
			return t.download.reject(status, fmt.Errorf("its %s coding expands more than %d times, as that of no video", t.coding, bombRatio))
		}
		if n > 0 {
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
	case coding.Corrupt(cause):
		return t.download.reject(t.response.StatusCode, fmt.Errorf("its %s coding is malformed", t.coding))
	case !errors.Is(cause, io.EOF):
		return t.download.fail(Transient, 0, fmt.Errorf("after %d bytes: %w", work.size, plain(cmp.Or(context.Cause(ctx), cause))))
	case work.length >= 0 && work.size < work.length:
		return t.download.fail(Transient, 0, fmt.Errorf("the connection ended after %d of %d bytes", work.size, work.length))
	default:
		// The end of a content coding is in its bytes, too.
		t.download.framed = t.coding != "" || slices.Contains(t.response.TransferEncoding, "chunked")
		return nil
	}
}

// unreadable is a response whose content coding fails at its first bytes.
func (t transfer) unreadable(ctx context.Context, cause error) error {
	if coding.Corrupt(cause) {
		return t.download.fail(Rejected, t.response.StatusCode, fmt.Errorf("its %s coding is malformed", t.coding))
	}
	return t.download.fail(Transient, 0, plain(cmp.Or(context.Cause(ctx), cause)))
}

// counter counts the bytes that are read and reports each progress.
type counter struct {
	reader   io.Reader
	bytes    int64
	progress func()
}

func (c *counter) Read(into []byte) (int, error) {
	n, err := c.reader.Read(into)
	c.bytes += int64(n)
	if n > 0 {
		c.progress()
	}
	return n, err
}
