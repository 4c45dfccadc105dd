package clip

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"lumaflow/internal/kie"
)

const (
	maxAttempts = 5
	// firstPause doubles with each attempt. If kie.ai requests a delay longer
	// than longestPause, Upload fails and leaves the retry to the user.
	firstPause, longestPause = time.Second, 15 * time.Second
	// uploadTimeout bounds an upload with all its attempts. At 30 kB/s 500 MB
	// take less.
	uploadTimeout = 6 * time.Hour
	// fetchMargin is the time between the last submission with an upload and its
	// deletion: kie.ai fetches the video some time after it accepts the task.
	fetchMargin = 15 * time.Minute
)

// Host stores uploaded clips, as *kie.Client does.
type Host interface {
	Upload(ctx context.Context, upload kie.Upload) (kie.Uploaded, error)
}

// Progress displays an upload.
type Progress interface {
	// Begin starts an attempt, which calls sent with every increment.
	Begin() (sent func(bytes int64))
	// Failed reports a failed attempt and the pause before the next.
	Failed(err error, pause time.Duration)
	// End leaves the last state on display.
	End(uploaded bool)
}

// Hosted is an uploaded clip.
type Hosted struct {
	// URL is the address for the submission.
	URL string
	// Expires is the latest time for the submission.
	Expires time.Time
}

// Upload streams the clip to kie.ai under a unique name. kie.ai can't resume an
// upload, so one that fails temporarily, or stalls for two minutes, starts from
// the first byte, at most five times within six hours. The uploaded bytes have the
// hash of the clip, or Upload fails.
func (c *Clip) Upload(ctx context.Context, host Host, progress Progress) (Hosted, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, uploadTimeout, fmt.Errorf("it took more than %v", uploadTimeout))
	defer cancel()
	for attempt := 1; ; attempt++ {
		hosted, err := c.upload(ctx, host, progress.Begin())
		if err == nil {
			progress.End(true)
			return hosted, nil
		}
		pause, retry := pauseAfter(err, attempt)
		if retry && ctx.Err() == nil {
			progress.Failed(err, pause)
			select {
			case <-time.After(pause):
				continue
			case <-ctx.Done():
			}
		}
		progress.End(false)
		return Hosted{}, c.notUploaded(ctx, err, attempt)
	}
}

// errChanged is final: the hash of the checked content is the identity of the job.
var errChanged = errors.New("the file has changed since it was checked")

// upload is one attempt.
func (c *Clip) upload(ctx context.Context, host Host, progress func(int64)) (Hosted, error) {
	sent := &meter{hash: sha256.New(), progress: progress}
	// The lifetime counts from the start of the upload, by the clock of this
	// machine: the computed expiry is early rather than late.
	begun := time.Now()
	uploaded, err := host.Upload(ctx, kie.Upload{
		Name: c.name(),
		Size: c.size,
		Body: io.TeeReader(c.content(), sent),
	})
	if info, changed := c.file.Stat(); changed == nil && info.Size() != c.size {
		return Hosted{}, errChanged
	}
	if err != nil {
		return Hosted{}, err
	}
	switch bytes, sum := sent.total(); {
	case bytes < c.size:
		return Hosted{}, errors.New("kie.ai responded before it received the whole file")
	case sum != c.sha256:
		return Hosted{}, errChanged
	}
	expires := begun.Add(kie.UploadLifetime)
	if !uploaded.Expires.IsZero() && uploaded.Expires.Before(expires) {
		expires = uploaded.Expires
	}
	expires = expires.Add(-fetchMargin)
	if !expires.After(time.Now()) {
		return Hosted{}, fmt.Errorf("kie.ai deletes it at %s, which is too soon: check the clock of this machine", uploaded.Expires.Format(time.RFC3339))
	}
	return Hosted{URL: uploaded.URL, Expires: expires}, nil
}

// pauseAfter returns the pause before the next attempt, and whether there is one.
func pauseAfter(err error, attempt int) (time.Duration, bool) {
	failed, ok := errors.AsType[*kie.Error](err)
	if !ok || failed.Class != kie.Temporary || attempt == maxAttempts {
		return 0, false
	}
	backoff := firstPause << (attempt - 1)
	pause := max(backoff/2+rand.N(backoff/2), failed.Delay())
	return pause, pause <= longestPause
}

// notUploaded returns the final error in one line.
func (c *Clip) notUploaded(ctx context.Context, err error, attempt int) error {
	failed, _ := errors.AsType[*kie.Error](err)
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("the upload of %s was interrupted, nothing was submitted: %w", c, context.Cause(ctx))
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case failed != nil && failed.Code == 401:
		err = fmt.Errorf("%w; check KIE_API_KEY at https://kie.ai/api-key", err)
	case attempt > 1:
		err = fmt.Errorf("%w; gave up after %d attempts", err, attempt)
	}
	return fmt.Errorf("%s was not uploaded, so nothing was submitted: %w", c, err)
}

// meter counts and hashes the bytes that are sent. It has a lock because a response
// may arrive while net/http still sends.
type meter struct {
	progress func(int64)

	mu    sync.Mutex
	hash  hash.Hash
	bytes int64
}

func (m *meter) Write(bytes []byte) (int, error) {
	m.progress(int64(len(bytes)))
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bytes += int64(len(bytes))
	return m.hash.Write(bytes)
}

func (m *meter) total() (bytes int64, sum string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.bytes, hex.EncodeToString(m.hash.Sum(nil))
}
