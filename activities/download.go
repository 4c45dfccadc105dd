package activities

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"

	"lumaflow/internal/fetch"
	"lumaflow/internal/store"
	"lumaflow/internal/telemetry/metrics"
)

const (
	// progressInterval is the heartbeat period of a transfer. A shorter download
	// sends no heartbeat.
	progressInterval = 3 * time.Second
	// maxRejections is the number of attempts whose link serves no video, or leads
	// to a forbidden address, before the job fails. Their pauses grow from ten
	// seconds to an hour, an hour and a half in all: an error page of a CDN is
	// temporary, a broken video is not.
	maxRejections = 10
)

// DownloadInput is one video of a finished task.
type DownloadInput struct {
	TaskID string `json:"taskId"`
	// Model is empty for Luma Modify.
	Model string `json:"model,omitempty"`
	// Name prefixes the stored file.
	Name string `json:"name,omitempty"`
	// Number is the position of the video among the task's results, from 1.
	Number int    `json:"number"`
	URL    string `json:"url"`
	// Until is the job's deadline.
	Until time.Time `json:"until"`
	// EndedAt is the time at which the task ended or, if that is unknown, was
	// submitted: kie.ai keeps the video for kie.MediaKept after it. Zero means
	// unknown.
	EndedAt time.Time `json:"endedAt,omitzero"`
}

// DownloadProgress is the heartbeat of a download; clients read it to show
// progress.
type DownloadProgress struct {
	Bytes int64 `json:"bytes"`
	// Total is -1 until the server has sent it.
	Total int64 `json:"total"`
	// Rejections counts the attempts that got no video.
	Rejections int `json:"rejections,omitempty"`
	// Idle counts the latest attempts without new bytes that failed temporarily.
	Idle int `json:"idle,omitempty"`
	// Warned is the time of the last logged warning that kie.ai will delete the
	// video.
	Warned time.Time `json:"warned,omitzero"`
}

// Download fetches one video, verifies it and stores it. It resumes an earlier
// attempt that had the same work directory, and renews a dead link. It returns
// the application errors DownloadRejected, ResultOverdue and MediaGone; all other
// errors are retryable.
func (a *Activities) Download(ctx context.Context, input DownloadInput) (Downloaded, error) {
	d := &download{options: a.options, input: input, progress: DownloadProgress{Total: -1}}
	if activity.HasHeartbeatDetails(ctx) {
		// Details that can't be decoded only lose the count of rejections.
		_ = activity.GetHeartbeatDetails(ctx, &d.progress)
	}
	d.earlier = d.progress.Bytes
	downloaded, err := d.run(ctx)
	if err != nil {
		d.warn(ctx, err)
	}
	return downloaded, err
}

// download is one attempt.
type download struct {
	options Options
	input   DownloadInput
	// mu guards the progress during a transfer.
	mu       sync.Mutex
	progress DownloadProgress
	// lastReport is the time of the last heartbeat of the transfer.
	lastReport time.Time
	// earlier is the number of bytes at the end of the attempt before.
	earlier int64
}

func (d *download) run(ctx context.Context) (Downloaded, error) {
	earlier, err := d.findStored(ctx)
	if err != nil {
		return Downloaded{}, err
	}
	if earlier != nil {
		countDownload(ctx, metrics.DownloadAlreadyStored)
		return newDownloaded(*earlier, d.input.URL), nil
	}
	fetching, stop := untilWorkerStops(ctx)
	defer stop()
	file, err := d.fetch(fetching)
	if err != nil {
		return Downloaded{}, d.failed(ctx, err)
	}
	return d.publish(ctx, file)
}

// warn logs that kie.ai will delete the video, if that is near, and leaves the
// time of the warning to the next attempt.
func (d *download) warn(ctx context.Context, failure error) {
	warned := warnOfDeletion(ctx, d.options.Now(), d.input.TaskID, d.input.EndedAt, d.progress.Warned, failure)
	if !warned.Equal(d.progress.Warned) {
		d.progress.Warned = warned
		activity.RecordHeartbeat(ctx, d.progress)
	}
}

// untilWorkerStops returns a context that ends when the worker drains: another
// worker then resumes the download at once, without a heartbeat timeout.
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

// findStored returns the file that an earlier job stored for the same task, or
// nil if there is none.
func (d *download) findStored(ctx context.Context) (*store.ReceiptFile, error) {
	receipt := d.earlierReceipt(ctx)
	if d.input.Number > len(receipt.Files) {
		return nil, nil
	}
	file, err := d.matching(ctx, receipt.Files[d.input.Number-1])
	if err != nil {
		countDownload(ctx, metrics.DownloadStorage)
		return nil, storageFailure(err, storageRetryDelay)
	}
	return file, nil
}

func (d *download) earlierReceipt(ctx context.Context) store.Receipt {
	return earlierReceipt(ctx, d.options.Store, d.input.Model, d.input.Name, d.input.TaskID)
}

// matching returns a listed file with its location, or nil if the store does not have
// its bytes.
func (d *download) matching(ctx context.Context, file store.ReceiptFile) (*store.ReceiptFile, error) {
	return withHeartbeat(ctx, d.progress, func(ctx context.Context) (*store.ReceiptFile, error) {
		location, matches, err := d.options.Store.Matches(ctx, file.Name, file.Bytes, file.SHA256)
		if err != nil || !matches {
			return nil, err
		}
		file.Location = location
		return &file, nil
	})
}

func (d *download) report(ctx context.Context, done, total int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.progress.Bytes, d.progress.Total = done, total
	now := time.Now()
	if d.lastReport.IsZero() {
		d.lastReport = now
	}
	if now.Sub(d.lastReport) >= progressInterval {
		d.lastReport = now
		activity.RecordHeartbeat(ctx, d.progress)
	}
}

func (d *download) publish(ctx context.Context, file *fetch.File) (Downloaded, error) {
	stored, err := d.put(ctx, names(d.input.Model).VideoName(d.input.Name, d.input.TaskID, d.input.Number, file.Video.Extension), file)
	if err != nil {
		countDownload(ctx, metrics.DownloadStorage)
		return Downloaded{}, d.retry(StorageUnavailable, "", err, storageRetryDelay)
	}
	countDownload(ctx, metrics.DownloadStored)
	metrics.StoredBytes.Add(activity.GetMetricsHandler(ctx), file.Bytes)
	return newDownloaded(stored, d.input.URL), nil
}

// put publishes a verified file under a name and removes its work file.
func (d *download) put(ctx context.Context, name string, file *fetch.File) (store.ReceiptFile, error) {
	// After Discard it does nothing; before that it only releases a lock.
	defer func() { _ = file.Close() }()
	location, err := withHeartbeat(ctx, d.progress, func(ctx context.Context) (string, error) {
		return d.options.Store.PutVideo(ctx, name, store.Source{
			Path:        file.Path,
			Bytes:       file.Bytes,
			SHA256:      file.SHA256,
			ContentType: file.Video.ContentType(),
		})
	})
	if err != nil {
		return store.ReceiptFile{}, err
	}
	if err := file.Discard(); err != nil {
		activity.GetLogger(ctx).Warn("could not remove the work file of a stored video", "name", name, "error", err)
	}
	return store.ReceiptFile{
		Name:     name,
		Location: location,
		URLHost:  file.Host,
		ETag:     file.ETag,
		Bytes:    file.Bytes,
		SHA256:   file.SHA256,
		Duration: file.Video.Duration.String(),
		Width:    file.Video.Width,
		Height:   file.Video.Height,
	}, nil
}

// failed maps the error of a download, and leaves the progress and the counts to the
// next attempt.
func (d *download) failed(ctx context.Context, err error) error {
	kind := fetch.KindOf(err)
	row := downloadFailures[kind]
	select {
	case <-activity.GetWorkerStopChannel(ctx):
		countDownload(ctx, metrics.DownloadDrained)
		activity.RecordHeartbeat(ctx, d.progress)
		return d.retry(DownloadInterrupted, "the worker drains; the next attempt resumes", nil, 0)
	default:
		countDownload(ctx, row.outcome)
	}
	if kind == fetch.LinkDead && !d.input.EndedAt.IsZero() && d.options.Now().Sub(d.input.EndedAt) >= goneAfter {
		return permanent(MediaGone, "kie.ai keeps videos for 14 days, this one's task ended on "+d.input.EndedAt.UTC().Format(time.DateOnly)+", and its links are dead", err)
	}
	if failed, ok := errors.AsType[*fetch.Error](err); ok && failed.RetryAfter > 0 {
		row.delay = failed.RetryAfter
	}
	d.progress.Idle++
	if kind != fetch.Transient || d.progress.Bytes > d.earlier {
		d.progress.Idle = 0
	}
	if row.rejected {
		d.progress.Rejections++
		row.delay = min(row.delay<<(d.progress.Rejections-1), time.Hour)
	}
	activity.RecordHeartbeat(ctx, d.progress)
	if d.progress.Rejections >= maxRejections && row.rejected {
		message := "kie.ai's link gives no video that can be stored"
		if kind == fetch.Forbidden {
			message = "kie.ai's link to the video of task " + d.input.TaskID + " can't be used"
		}
		return permanent(DownloadRejected, message, err)
	}
	return d.retry(row.errorType, "", err, row.delay)
}

// retry returns an error for the next attempt, or ResultOverdue after the
// deadline.
func (d *download) retry(errorType, message string, cause error, delay time.Duration) error {
	left := d.input.Until.Sub(d.options.Now())
	if left <= 0 {
		return permanent(ResultOverdue, "the deadline passed", errors.New(withCause(message, cause)))
	}
	if errorType == StorageUnavailable {
		return storageFailure(cause, min(delay, left))
	}
	return retryable(errorType, message, cause, min(delay, left))
}
