package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"lumaflow/internal/media"
	"lumaflow/internal/stall"
)

// errRestart sends the download back to the first byte. Only a request with a
// Range fails with it, so it occurs at most once per attempt.
var errRestart = errors.New("restart from the first byte")

// download is one attempt.
type download struct {
	fetcher *Fetcher
	// label is what the last response calls its bytes, empty if that is no reason for
	// doubt. It is named if the bytes are no video.
	label    string
	link     *url.URL
	progress func(done, total int64)
	work     *partial
	// avi means that an AVI is a video too.
	avi bool
	// etag is the tag of the last response, weak ones included.
	etag string
	// refusal is the error that the status of the last response stands for, nil for a
	// 2xx or if the body does not open like a video.
	refusal *Error
	// framed means that the transfer coding or the content coding of the last body
	// marked its end.
	framed bool
	// unbounded means that the last response may be a range, and declared no length of
	// the file: its end need not be that of the file.
	unbounded bool
}

// run completes the work file and verifies it.
func (d *download) run(ctx context.Context) (media.Video, error) {
	logger := d.fetcher.options.Logger
	if err := d.work.restore(ctx, d.progress); err != nil {
		return media.Video{}, d.localFailure(ctx, err)
	}
	if d.work.size > 0 {
		logger.Info("download resumed", "host", d.link.Host, "bytes", d.work.size, "total", d.work.length)
	}
	err := d.request(ctx)
	if errors.Is(err, errRestart) && ctx.Err() == nil {
		logger.Info("download restarted", "host", d.link.Host, "reason", err)
		if err := d.work.restart("", -1); err != nil {
			return media.Video{}, d.fail(Disk, 0, err)
		}
		err = d.request(ctx)
	}
	if ctx.Err() != nil {
		return media.Video{}, d.fail(Transient, 0, ctx.Err())
	}
	var video media.Video
	if err == nil {
		video, err = d.verify(ctx)
	}
	if err != nil && d.refusal != nil && ctx.Err() == nil && KindOf(err) != Disk {
		return media.Video{}, d.refused(err)
	}
	return video, err
}

// refused is the error of a response with an error status, whose body opens like a
// video and is none.
func (d *download) refused(cause error) error {
	if failed, ok := errors.AsType[*Error](cause); ok {
		cause = failed.Err
	}
	failed := *d.refusal
	failed.Err = fmt.Errorf("its body opens like a video: %w", cause)
	return &failed
}

// request sends one request for the missing bytes and stores the response.
func (d *download) request(ctx context.Context) error {
	ctx, watchdog := stall.Watch(ctx, d.fetcher.options.StallTimeout, errStalled)
	defer watchdog.Stop()

	header := http.Header{"Accept-Encoding": {"identity"}, "Accept": {"video/*, */*;q=0.5"}}
	if agent := d.fetcher.options.UserAgent; agent != "" {
		header.Set("User-Agent", agent)
	}
	from := d.work.size
	if d.work.complete() {
		// A Range of the last byte is the one request that every server answers
		// with the current ETag and length.
		from--
	}
	resuming := d.work.size > 0
	if resuming {
		header.Set("Range", "bytes="+strconv.FormatInt(from, 10)+"-")
		header.Set("If-Range", d.work.etag)
	}
	response, err := d.fetcher.get(ctx, d.link, header)
	if err != nil {
		return err
	}
	defer response.Body.Close()

	return transfer{download: d, response: response, watchdog: watchdog}.receive(ctx, from, resuming)
}

// verify accepts the complete work file or drops it.
func (d *download) verify(ctx context.Context) (media.Video, error) {
	inspect := media.InspectMP4
	switch delivered := (d.work.length >= 0 || d.framed) && !d.unbounded; {
	case d.avi && delivered:
		inspect = media.InspectSource
	case d.avi:
		inspect = media.Inspect
	case delivered:
		inspect = media.InspectDelivered
	}
	video, err := inspect(d.work.file, d.work.size)
	failed, malformed := errors.AsType[*media.Error](err)
	switch {
	case malformed && (d.work.length < 0 || d.unbounded) && (failed.Problem == media.CutOff || failed.Problem == media.Unfinished):
		// The response declared no length of the file, so only the index shows that it
		// ended early.
		return media.Video{}, d.fail(Transient, 0, fmt.Errorf("the connection ended after %d bytes, before the file did: %w", d.work.size, err))
	case malformed:
		return media.Video{}, d.reject(0, err)
	case err != nil:
		return media.Video{}, d.localFailure(ctx, err)
	}
	if err := d.work.finish(); err != nil {
		return media.Video{}, d.fail(Disk, 0, err)
	}
	return video, nil
}

// reject drops the downloaded bytes, so that the next attempt starts from zero.
func (d *download) reject(status int, err error) error {
	if failed := d.work.restart("", -1); failed != nil {
		return d.fail(Disk, status, failed)
	}
	if d.label != "" {
		err = fmt.Errorf("%w; the server labels it %s", err, d.label)
	}
	return d.fail(Rejected, status, err)
}

// localFailure is a failure of this machine, unless the context has ended.
func (d *download) localFailure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return d.fail(Transient, 0, ctx.Err())
	}
	return d.fail(Disk, 0, err)
}

func (d *download) fail(kind Kind, status int, err error) error {
	if kind == Disk {
		err = fmt.Errorf("work directory %s: %w", d.fetcher.options.WorkDir, err)
	}
	return &Error{Kind: kind, StatusCode: status, Host: d.link.Host, Err: err}
}
