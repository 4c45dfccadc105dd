package activities

import (
	"context"
	"errors"
	"io/fs"
	"strconv"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"

	"lumaflow/internal/fetch"
	"lumaflow/internal/store"
	"lumaflow/internal/telemetry/metrics"
)

const (
	// progressInterval is how often a download tells how far it is. One that is
	// over sooner sends no heartbeat at all.
	progressInterval = 3 * time.Second
	// quietInterval is how often an attempt says that it lives while it does
	// what has no progress to tell, and quietWork how long that may take.
	quietInterval = 10 * time.Second
	quietWork     = 30 * time.Minute
	// maxRejections is how often a link that serves no video, or leads where no
	// download may go, is tried again before the job gives up. The pauses grow
	// from ten seconds to an hour, an hour and a half in all: a CDN's error page
	// passes, a broken video stays.
	maxRejections = 10
)

// DownloadInput is one video of a finished task.
type DownloadInput struct {
	TaskID string `json:"taskId"`
	// Name prefixes the stored file.
	Name string `json:"name,omitempty"`
	// Number is the place of the video among the task's results, from 1.
	Number int    `json:"number"`
	URL    string `json:"url"`
	// Until is the job's deadline.
	Until time.Time `json:"until"`
	// EndedAt is when the task ended, or was submitted if that is all that is
	// known: from then on kie.ai keeps the video for luma.MediaKept. Zero is not
	// known.
	EndedAt time.Time `json:"endedAt,omitzero"`
}

// Video is one stored, verified video.
type Video struct {
	// Location is where the store keeps it, as a URL.
	Location string `json:"location"`
	// SourceURL is the link that kie.ai gave; it expires.
	SourceURL string `json:"sourceUrl"`
	Bytes     int64  `json:"bytes"`
	SHA256    string `json:"sha256"`
	// Duration is a Go duration string.
	Duration string `json:"duration"`
	Width    int    `json:"width"`
	Height   int    `json:"height"`
}

// Downloaded is a stored video and what its receipt says about it.
type Downloaded struct {
	Video Video `json:"video"`
	// Name is the file's name in the store.
	Name    string `json:"name"`
	URLHost string `json:"urlHost"`
	ETag    string `json:"etag,omitempty"`
}

// DownloadProgress is the heartbeat of a download; clients read it to show
// progress.
type DownloadProgress struct {
	Bytes int64 `json:"bytes"`
	// Total is -1 until the server has told it.
	Total int64 `json:"total"`
	// Rejections counts the answers that were no video.
	Rejections int `json:"rejections,omitempty"`
	// Warned is when the log said last that kie.ai will delete the video.
	Warned time.Time `json:"warned,omitzero"`
}

// Download fetches one video, verifies it and puts it into the store. It goes
// on where an earlier attempt stopped if that ran with the same work
// directory, and renews a dead link by itself. It returns the application
// errors DownloadRejected, ResultOverdue and MediaGone; anything else is
// retried.
func (a *Activities) Download(ctx context.Context, input DownloadInput) (Downloaded, error) {
	download := download{Activities: a, input: input, progress: DownloadProgress{Total: -1}}
	if activity.HasHeartbeatDetails(ctx) {
		// Progress that can't be read only loses the count of rejections.
		_ = activity.GetHeartbeatDetails(ctx, &download.progress)
	}
	downloaded, err := download.run(ctx)
	if err != nil {
		download.warn(ctx, err)
	}
	return downloaded, err
}

func (d *download) run(ctx context.Context) (Downloaded, error) {
	if stored, ok, err := d.stored(ctx); err != nil || ok {
		return stored, err
	}
	fetching, stop := untilWorkerStops(ctx)
	defer stop()
	file, err := d.fetch(fetching)
	if err != nil {
		return Downloaded{}, d.failed(ctx, err)
	}
	return d.publish(ctx, file)
}

// warn has the log tell of a video that is about to be lost.
func (d *download) warn(ctx context.Context, failure error) {
	warned := d.warnOfDeletion(ctx, d.input.TaskID, d.input.EndedAt, d.progress.Warned, failure)
	if warned.Equal(d.progress.Warned) {
		return
	}
	d.progress.Warned = warned
	activity.RecordHeartbeat(ctx, d.progress)
}

// untilWorkerStops ends a download as soon as its worker drains, so that
// another one goes on with it instead of waiting for a timeout.
func untilWorkerStops(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stopping := activity.GetWorkerStopChannel(ctx)
	go func() {
		select {
		case <-stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

type download struct {
	*Activities
	input    DownloadInput
	progress DownloadProgress
	beat     time.Time
}

// stored finds the video where an earlier job that collected the same task has
// left it.
func (d *download) stored(ctx context.Context) (Downloaded, bool, error) {
	receipt, err := d.Store.Receipt(ctx, store.ReceiptName(d.input.Name, d.input.TaskID))
	if errors.Is(err, fs.ErrNotExist) {
		return Downloaded{}, false, nil
	}
	if err != nil {
		activity.GetLogger(ctx).Warn("the receipt of an earlier job can't be read, so the video is fetched again", "error", err)
		return Downloaded{}, false, nil
	}
	if receipt.TaskID != d.input.TaskID || d.input.Number > len(receipt.Files) {
		return Downloaded{}, false, nil
	}
	file := receipt.Files[d.input.Number-1]
	var location string
	var ok bool
	d.beating(ctx, func() { location, ok, err = d.Store.Matches(ctx, file.Name, file.Bytes, file.SHA256) })
	if err != nil {
		countDownload(ctx, metrics.DownloadStorage)
		return Downloaded{}, false, retry(StorageUnavailable, "", err, storageRetry)
	}
	if !ok {
		return Downloaded{}, false, nil
	}
	countDownload(ctx, metrics.DownloadAlreadyStored)
	return Downloaded{
		Video: Video{
			Location:  location,
			SourceURL: d.input.URL,
			Bytes:     file.Bytes,
			SHA256:    file.SHA256,
			Duration:  file.Duration,
			Width:     file.Width,
			Height:    file.Height,
		},
		Name:    file.Name,
		URLHost: file.URLHost,
		ETag:    file.ETag,
	}, true, nil
}

// fetch tries the link that the record gave, then a re-minted one, then
// whatever the record says now. The partial file survives all three.
func (d *download) fetch(ctx context.Context) (file *fetch.File, err error) {
	links := []func(context.Context) (string, error){d.given, d.reminted, d.reread}
	for _, link := range links {
		var url string
		var linkErr error
		d.beating(ctx, func() { url, linkErr = link(ctx) })
		if linkErr != nil {
			activity.GetLogger(ctx).Warn("could not renew a dead link", "taskId", d.input.TaskID, "error", linkErr)
			continue
		}
		file, err = d.Fetcher.Fetch(ctx, fetch.Request{
			URL:      url,
			Key:      d.input.TaskID + "/" + strconv.Itoa(d.input.Number),
			Progress: func(done, total int64) { d.report(ctx, done, total) },
		})
		if err == nil || fetch.KindOf(err) != fetch.LinkDead {
			return file, err
		}
		activity.RecordHeartbeat(ctx, d.progress)
	}
	return nil, err
}

func (d *download) given(context.Context) (string, error) { return d.input.URL, nil }

func (d *download) reminted(ctx context.Context) (string, error) {
	return d.Provider.DownloadURL(ctx, d.input.URL)
}

func (d *download) reread(ctx context.Context) (string, error) {
	record, err := d.Provider.Record(ctx, d.input.TaskID)
	if err != nil {
		return "", err
	}
	if d.input.Number > len(record.ResultURLs) {
		return "", errors.New("the record has no link for this video any more")
	}
	return record.ResultURLs[d.input.Number-1], nil
}

func (d *download) report(ctx context.Context, done, total int64) {
	d.progress.Bytes, d.progress.Total = done, total
	now := time.Now()
	if d.beat.IsZero() {
		d.beat = now
	}
	if now.Sub(d.beat) >= progressInterval {
		d.beat = now
		activity.RecordHeartbeat(ctx, d.progress)
	}
}

// beating keeps the attempt alive during work that shows no progress of its
// own, a slow store's say, for as long as such work may honestly take.
func (d *download) beating(ctx context.Context, work func()) {
	done := make(chan struct{})
	var beats sync.WaitGroup
	beats.Go(func() {
		beat := time.NewTicker(quietInterval)
		defer beat.Stop()
		for end := time.Now().Add(quietWork); time.Now().Before(end); {
			select {
			case <-beat.C:
				activity.RecordHeartbeat(ctx, d.progress)
			case <-done:
				return
			}
		}
	})
	work()
	close(done)
	beats.Wait()
}

func (d *download) publish(ctx context.Context, file *fetch.File) (Downloaded, error) {
	defer file.Close()
	name := store.VideoName(d.input.Name, d.input.TaskID, d.input.Number, file.Video.Extension)
	var location string
	var err error
	d.beating(ctx, func() {
		location, err = d.Store.PutVideo(ctx, name, store.Source{
			Path:        file.Path,
			Bytes:       file.Bytes,
			SHA256:      file.SHA256,
			ContentType: file.Video.ContentType(),
		})
	})
	if err != nil {
		countDownload(ctx, metrics.DownloadStorage)
		return Downloaded{}, d.again(StorageUnavailable, "", err, storageRetry)
	}
	countDownload(ctx, metrics.DownloadStored)
	metrics.StoredBytes.Add(activity.GetMetricsHandler(ctx), file.Bytes)
	if err := file.Discard(); err != nil {
		activity.GetLogger(ctx).Warn("could not remove the work file of a stored video", "name", name, "error", err)
	}
	return Downloaded{
		Video: Video{
			Location:  location,
			SourceURL: d.input.URL,
			Bytes:     file.Bytes,
			SHA256:    file.SHA256,
			Duration:  file.Video.Duration.String(),
			Width:     file.Video.Width,
			Height:    file.Video.Height,
		},
		Name:    name,
		URLHost: file.Host,
		ETag:    file.ETag,
	}, nil
}

// failed maps what stopped a download and leaves to the next attempt how far it
// came and how often there was no video to be had.
func (d *download) failed(ctx context.Context, err error) error {
	select {
	case <-activity.GetWorkerStopChannel(ctx):
		countDownload(ctx, metrics.DownloadDrained)
		activity.RecordHeartbeat(ctx, d.progress)
		return d.again(DownloadInterrupted, "the worker was told to stop, the next one goes on", nil, 0)
	default:
		countDownload(ctx, outcomes[fetch.KindOf(err)])
	}
	if fetch.KindOf(err) == fetch.LinkDead && !d.input.EndedAt.IsZero() && d.Now().Sub(d.input.EndedAt) >= goneAfter {
		return final(MediaGone, "kie.ai keeps videos for 14 days, this one's task ended on "+d.input.EndedAt.UTC().Format(time.DateOnly)+", and its links are dead", err)
	}
	row := downloadVerdict(err)
	if row.rejection {
		d.progress.Rejections++
	}
	activity.RecordHeartbeat(ctx, d.progress)
	if row.rejection {
		if d.progress.Rejections >= maxRejections {
			return final(DownloadRejected, "kie.ai's link gives no video that can be stored", err)
		}
		row.after = min(row.after<<(d.progress.Rejections-1), time.Hour)
	}
	return d.again(row.errorType, "", err, row.after)
}

func (d *download) again(errorType, message string, cause error, after time.Duration) error {
	left := d.input.Until.Sub(d.Now())
	if left <= 0 {
		return final(ResultOverdue, "the deadline passed", errors.New(withCause(message, cause)))
	}
	return retry(errorType, message, cause, min(after, left))
}
