package activities

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/dustin/go-humanize"
	"go.temporal.io/sdk/activity"

	"lumaflow/internal/fetch"
	"lumaflow/internal/media"
	"lumaflow/internal/oneline"
	"lumaflow/internal/store"
	"lumaflow/internal/telemetry/metrics"
)

// maxReason bounds the reason for a missing source in bytes.
const maxReason = 300

// sourceFailures has, by the kind of the last failure, the number of attempts without
// a new byte after which a copy is given up, and the pause before the next attempt;
// zero leaves that to the retry policy. Nothing renews the link of a source, and a
// setting refuses a host or an address for all attempts.
var sourceFailures = map[fetch.Kind]struct {
	attempts int
	delay    time.Duration
}{
	fetch.Transient: {10, 0},
	fetch.LinkDead:  {3, 10 * time.Second},
	fetch.Rejected:  {3, 10 * time.Second},
	fetch.Forbidden: {1, 0},
	fetch.Disk:      {10, storageRetryDelay},
}

// SourceInput is the source video of a task.
type SourceInput struct {
	TaskID string `json:"taskId"`
	// Model is empty for Luma Modify.
	Model string `json:"model,omitempty"`
	// Name prefixes the stored file.
	Name string `json:"name,omitempty"`
	// URL is the link that the task was submitted with.
	URL string `json:"url"`
	// SHA256 is that of the local file whose upload the link serves; empty for a link
	// of another origin. Other bytes are kept all the same, because kie.ai has used
	// them; the receipt has both sums.
	SHA256 string `json:"sha256,omitempty"`
}

// KeptSource is the copy of a source video, or the reason why there is none.
type KeptSource = store.ReceiptSource

// MissingSource is a source without a copy. The reason is cut to one line of 300 bytes.
func MissingSource(reason string) KeptSource {
	return KeptSource{Missing: oneline.Truncate(reason, maxReason)}
}

// KeepSource stores a copy of a source video beside the results, through the same
// download as theirs: guarded, verified and resumable. FETCH_ALLOW_HOSTS limits its
// links too. A copy that can't be made is no error but a KeptSource with the reason:
// after three attempts that find no video, after ten of any other failure, at once for
// a link that may not be fetched, and when the activity is cancelled. A copy that a run
// without a receipt has stored is used if the link serves none any more. All errors are
// retryable.
func (a *Activities) KeepSource(ctx context.Context, input SourceInput) (KeptSource, error) {
	s := &sourceCopy{
		download: download{options: a.options, input: DownloadInput{TaskID: input.TaskID, Model: input.Model, Name: input.Name}, progress: DownloadProgress{Total: -1}},
		url:      input.URL,
		sha256:   input.SHA256,
	}
	if activity.HasHeartbeatDetails(ctx) {
		// Details that can't be decoded only lose the count of failures.
		_ = activity.GetHeartbeatDetails(ctx, &s.progress)
	}
	s.reached = s.progress.Bytes
	kept, outcome, err := s.run(ctx)
	if kept.Missing != "" && ctx.Err() == nil {
		if unlisted := s.findUnlistedSource(ctx); unlisted != nil {
			kept, outcome = KeptSource{ReceiptFile: unlisted}, metrics.SourceAlreadyStored
		}
	}
	if err == nil {
		metrics.Sources.Add(activity.GetMetricsHandler(ctx), 1, outcome)
	}
	if kept.Missing != "" {
		activity.GetLogger(ctx).Warn("the source is not kept; the job goes on without it", "taskId", input.TaskID, "reason", kept.Missing)
	}
	return kept, err
}

// sourceCopy is one attempt. It counts its failures as the rejections of the download.
type sourceCopy struct {
	download
	// url is the link, sha256 the sum of the local file behind it; empty if unknown.
	url, sha256 string
	// reached is the number of bytes that the attempts before had.
	reached int64
	// listed means that the receipt of an earlier job lists a copy.
	listed bool
}

// run returns the copy and its outcome for the metric.
func (s *sourceCopy) run(ctx context.Context) (kept KeptSource, outcome string, err error) {
	earlier, err := s.findStoredSource(ctx)
	if err != nil {
		return s.failed(ctx, fetch.Disk, err)
	}
	if earlier != nil {
		return KeptSource{ReceiptFile: earlier}, metrics.SourceAlreadyStored, nil
	}
	fetching, stop := untilWorkerStops(ctx)
	defer stop()
	file, err := s.transfer(fetching, fetch.Request{URL: s.url, Key: s.input.TaskID + "/source", AVI: true})
	if err != nil {
		return s.failed(ctx, fetch.KindOf(err), err)
	}
	stored, err := s.put(ctx, names(s.input.Model).SourceName(s.input.Name, s.input.TaskID, file.Video.Extension), file)
	if err != nil {
		return s.failed(ctx, fetch.Disk, err)
	}
	if s.sha256 != "" && s.sha256 != stored.SHA256 {
		activity.GetLogger(ctx).Warn("the upload at kie.ai has other bytes than the local file; the copy is that of the upload",
			"taskId", s.input.TaskID, "file", stored.Name, "sha256", stored.SHA256, "localSha256", s.sha256)
	}
	return KeptSource{ReceiptFile: &stored}, metrics.SourceStored, nil
}

// findStoredSource returns the copy that an earlier job stored for the same task, or
// nil if there is none.
func (s *sourceCopy) findStoredSource(ctx context.Context) (*store.ReceiptFile, error) {
	receipt := s.earlierReceipt(ctx)
	if receipt.Source == nil || receipt.Source.ReceiptFile == nil {
		return nil, nil
	}
	s.listed = true
	return s.matching(ctx, *receipt.Source.ReceiptFile)
}

// findUnlistedSource returns the copy that a run without a receipt has left under the
// name of the source, or nil if there is none that is a video. It reads the copy
// because nothing else has its SHA-256. A file that differs from the one in an earlier
// receipt is not used.
func (s *sourceCopy) findUnlistedSource(ctx context.Context) *store.ReceiptFile {
	if s.listed {
		return nil
	}
	for _, extension := range []string{".mp4", ".mov", ".avi"} {
		name := names(s.input.Model).SourceName(s.input.Name, s.input.TaskID, extension)
		found, err := withHeartbeat(ctx, s.progress, func(ctx context.Context) (*store.ReceiptFile, error) {
			return inspectStored(ctx, s.options.Store, name)
		})
		if err == nil {
			found, err = s.matching(ctx, *found)
		}
		switch {
		case err == nil && found != nil:
			return found
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			activity.GetLogger(ctx).Warn("a file under the name of the source can't be used", "name", name, "error", err)
		}
	}
	return nil
}

// inspectStored reads a stored video and returns its properties, without its location.
func inspectStored(ctx context.Context, from store.Store, name string) (*store.ReceiptFile, error) {
	opened, err := from.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	file, ok := opened.(io.ReadSeeker)
	if !ok {
		return nil, fmt.Errorf("read %.80q: %w: the store has no seekable files", name, errors.ErrUnsupported)
	}
	digest := sha256.New()
	size, err := io.Copy(digest, store.ContextReader{Context: ctx, From: file})
	if err != nil {
		return nil, fmt.Errorf("read %.80q: %w", name, err)
	}
	video, err := media.Inspect(media.ReaderAt(file), size)
	if err != nil {
		return nil, fmt.Errorf("inspect %.80q: %w", name, err)
	}
	return &store.ReceiptFile{
		Name: name, Bytes: size, SHA256: hex.EncodeToString(digest.Sum(nil)),
		Duration: video.Duration.String(), Width: video.Width, Height: video.Height,
	}, nil
}

// failed decides about the next attempt: another one, or none and a source that is
// missing.
func (s *sourceCopy) failed(ctx context.Context, kind fetch.Kind, err error) (KeptSource, string, error) {
	select {
	case <-activity.GetWorkerStopChannel(ctx):
		activity.RecordHeartbeat(ctx, s.progress)
		return KeptSource{}, "", retryable(DownloadInterrupted, "the worker drains; the next attempt resumes", nil, 0)
	default:
	}
	if ctx.Err() != nil {
		return MissingSource(s.unfinished()), metrics.SourceMissing, nil
	}
	if s.progress.Bytes > s.reached {
		s.progress.Rejections = 0
	}
	s.progress.Rejections++
	limit := sourceFailures[kind]
	if s.progress.Rejections >= limit.attempts {
		return MissingSource(err.Error()), metrics.SourceMissing, nil
	}
	activity.RecordHeartbeat(ctx, s.progress)
	if failed, ok := errors.AsType[*fetch.Error](err); ok && failed.RetryAfter > 0 {
		limit.delay = failed.RetryAfter
	}
	if kind == fetch.Disk {
		return KeptSource{}, "", storageFailure(err, limit.delay)
	}
	return KeptSource{}, "", retryable(DownloadInterrupted, "", err, limit.delay)
}

// unfinished is the reason for a copy that was cancelled.
func (s *sourceCopy) unfinished() string {
	text := "it was not complete in time, after " + humanize.Bytes(uint64(max(s.progress.Bytes, 0)))
	if s.progress.Total > 0 {
		text += " of " + humanize.Bytes(uint64(s.progress.Total))
	}
	return text
}
