package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

// errStartOver sends the download back to the first byte. It answers requests
// with a Range only, so it comes once at most.
var errStartOver = errors.New("start over")

// download is one attempt.
type download struct {
	*Fetcher
	link     *url.URL
	progress func(done, total int64)
	work     *partial
	// etag is as the server sent it, weak ones too.
	etag string
}

// run brings the work file to its full length and looks into it.
func (d *download) run(ctx context.Context) (Video, error) {
	if err := d.work.restore(ctx, d.progress); err != nil {
		return Video{}, d.local(ctx, err)
	}
	if d.work.size > 0 {
		d.Logger.Info("download goes on", "host", d.link.Host, "bytes", d.work.size, "total", d.work.length)
	}
	err := d.request(ctx)
	if errors.Is(err, errStartOver) && ctx.Err() == nil {
		d.Logger.Info("download starts over", "host", d.link.Host, "reason", err)
		if err := d.work.restart("", -1); err != nil {
			return Video{}, d.fail(Disk, 0, err)
		}
		err = d.request(ctx)
	}
	if ctx.Err() != nil {
		return Video{}, d.fail(Transient, 0, ctx.Err())
	}
	if err != nil {
		return Video{}, err
	}
	return d.verify(ctx)
}

// request asks once for what is missing and stores what comes.
func (d *download) request(ctx context.Context) error {
	ctx, watch := newWatchdog(ctx, d.StallTimeout)
	defer watch.stop()

	header := http.Header{"Accept-Encoding": {"identity"}, "Accept": {"video/*, */*;q=0.5"}}
	if d.UserAgent != "" {
		header.Set("User-Agent", d.UserAgent)
	}
	from := d.work.size
	if d.work.complete() {
		// To ask for the last byte once more is the one question that every
		// server answers with the ETag and the length it has now.
		from--
	}
	resuming := d.work.size > 0
	if resuming {
		header.Set("Range", "bytes="+strconv.FormatInt(from, 10)+"-")
		header.Set("If-Range", d.work.etag)
	}
	response, err := d.get(ctx, d.link, header)
	if err != nil {
		return err
	}
	defer response.Body.Close()

	answer := answer{download: d, Response: response, watch: watch}
	switch {
	case response.StatusCode == http.StatusOK:
		return answer.whole()
	case response.StatusCode == http.StatusPartialContent && resuming:
		return answer.part(ctx, from)
	case response.StatusCode == http.StatusPartialContent:
		return d.fail(Transient, response.StatusCode, errors.New("the server sent a range that was not asked for"))
	case response.StatusCode == http.StatusRequestedRangeNotSatisfiable && resuming:
		return answer.nothingLeft()
	default:
		return statusError(response)
	}
}

// verify accepts the finished file or throws it away.
func (d *download) verify(ctx context.Context) (Video, error) {
	video, err := InspectReader(d.work.file, d.work.size)
	var malformed malformedError
	switch {
	case errors.Is(err, errCut) && d.work.length < 0:
		// Nothing but the boxes could tell that this answer ended early.
		return Video{}, d.fail(Transient, 0, fmt.Errorf("the connection ended after %d bytes, before the file did", d.work.size))
	case errors.As(err, &malformed):
		return Video{}, d.reject(0, err)
	case err != nil:
		return Video{}, d.local(ctx, err)
	}
	if err := d.work.finish(); err != nil {
		return Video{}, d.fail(Disk, 0, err)
	}
	return video, nil
}

// reject drops what was downloaded, so that the next attempt starts clean.
func (d *download) reject(status int, err error) error {
	if dropped := d.work.restart("", -1); dropped != nil {
		return d.fail(Disk, status, dropped)
	}
	return d.fail(Rejected, status, err)
}

// local is a failure on this side of the network.
func (d *download) local(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return d.fail(Transient, 0, ctx.Err())
	}
	return d.fail(Disk, 0, err)
}

func (d *download) fail(kind Kind, status int, err error) error {
	return &Error{Kind: kind, StatusCode: status, Host: d.link.Host, Err: err}
}
