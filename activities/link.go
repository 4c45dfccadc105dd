package activities

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"go.temporal.io/sdk/activity"

	"lumaflow/internal/fetch"
)

// idleAttempts is the number of attempts without new bytes after which the next one
// begins with another link.
const idleAttempts = 3

// fetch tries the link of the input, then a re-minted one, then the link that
// the record holds now. The partial file survives all three. A dead link may not
// show it: its host may be gone or send a page with the status 200. So each rejection,
// and each idleAttempts, move the link that comes first to the end.
func (d *download) fetch(ctx context.Context) (*fetch.File, error) {
	links := []func(context.Context) (string, error){d.inputLink, d.remintedLink, d.recordLink}
	first := (d.progress.Rejections + d.progress.Idle/idleAttempts) % len(links)
	var failure error
	for _, link := range slices.Concat(links[first:], links[:first]) {
		url, err := withHeartbeat(ctx, d.progress, link)
		if err != nil {
			activity.GetLogger(ctx).Warn("the link can't be renewed", "taskId", d.input.TaskID, "error", err)
			continue
		}
		file, err := d.transfer(ctx, fetch.Request{URL: url, Key: d.input.TaskID + "/" + strconv.Itoa(d.input.Number)})
		if err == nil || fetch.KindOf(err) != fetch.LinkDead {
			return file, err
		}
		failure = err
		activity.RecordHeartbeat(ctx, d.progress)
	}
	return nil, failure
}

// transfer fetches one file. Heartbeats continue while no byte arrives, as during a slow
// fsync: the attempt that replaced this one would find its file locked.
func (d *download) transfer(ctx context.Context, request fetch.Request) (*fetch.File, error) {
	request.Progress = func(done, total int64) { d.report(ctx, done, total) }
	beat := func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		activity.RecordHeartbeat(ctx, d.progress)
	}
	return withTicker(quietInterval, beat, func() (*fetch.File, error) { return d.options.Fetcher.Fetch(ctx, request) })
}

func (d *download) inputLink(context.Context) (string, error) { return d.input.URL, nil }

func (d *download) remintedLink(ctx context.Context) (string, error) {
	return d.options.Provider.DownloadURL(ctx, d.input.URL)
}

func (d *download) recordLink(ctx context.Context) (string, error) {
	record, err := d.options.Provider.Record(ctx, d.input.Model, d.input.TaskID)
	if err != nil {
		return "", err
	}
	if d.input.Number > len(record.ResultURLs) {
		return "", errors.New("the record no longer has a link to this video")
	}
	return record.ResultURLs[d.input.Number-1], nil
}
