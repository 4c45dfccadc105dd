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
	// attempts is how often an upload is begun.
	attempts = 5
	// firstPause doubles with each attempt. If kie.ai wants more than
	// longestPause, the person who waits decides.
	firstPause, longestPause = time.Second, 15 * time.Second
	// uploadTime bounds an upload with all its attempts: 500 MB at 30 kB/s take
	// less.
	uploadTime = 6 * time.Hour
	// fetchMargin is how long before an upload is deleted it is submitted at
	// the latest: kie.ai fetches it some time after it has accepted the task.
	fetchMargin = 15 * time.Minute
)

// Host is where clips are uploaded to. *kie.Client is one.
type Host interface {
	Upload(ctx context.Context, upload kie.Upload) (kie.Uploaded, error)
}

// Hosted is an uploaded clip.
type Hosted struct {
	// URL is what to submit.
	URL string
	// Expires is until when.
	Expires time.Time
}

// Upload streams the clip to kie.ai under a name of its own and shows the
// progress on say: as a bar if that is a terminal, else as plain lines. An upload
// that breaks can't be resumed (kie.ai has no way to), so it begins again, a few
// times. What arrived is what was checked, or it is an error. An upload that
// stands still for two minutes counts as broken, and after six hours Upload
// gives up.
func (c *Clip) Upload(ctx context.Context, to Host, say io.Writer) (Hosted, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, uploadTime, fmt.Errorf("it took more than %v", uploadTime))
	defer cancel()
	shown := show(say, c)
	for attempt := 1; ; attempt++ {
		hosted, err := c.upload(ctx, to, shown.begin())
		if err == nil {
			shown.end(true)
			return hosted, nil
		}
		pause, again := pauseAfter(err, attempt)
		if again && ctx.Err() == nil {
			shown.broke(err, pause)
			select {
			case <-time.After(pause):
				continue
			case <-ctx.Done():
			}
		}
		shown.end(false)
		return Hosted{}, c.notUploaded(ctx, err, attempt)
	}
}

// errChanged is not worth another attempt: the job is known by the content.
var errChanged = errors.New("the file has changed since it was checked")

// upload is one attempt.
func (c *Clip) upload(ctx context.Context, to Host, moved func(int64)) (Hosted, error) {
	sent := &meter{hash: sha256.New(), moved: moved}
	// By this machine's clock and from the beginning, so that it ends early
	// rather than late.
	begun := time.Now()
	uploaded, err := to.Upload(ctx, kie.Upload{
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
		return Hosted{}, errors.New("kie.ai answered before it had all of it")
	case sum != c.sha256:
		return Hosted{}, errChanged
	}
	expires := begun.Add(kie.UploadLifetime)
	if !uploaded.Expires.IsZero() && uploaded.Expires.Before(expires) {
		expires = uploaded.Expires
	}
	expires = expires.Add(-fetchMargin)
	if !expires.After(time.Now()) {
		return Hosted{}, fmt.Errorf("kie.ai deletes it at %s, which is too soon; is this machine's clock right?", uploaded.Expires.Format(time.RFC3339))
	}
	return Hosted{URL: uploaded.URL, Expires: expires}, nil
}

// pauseAfter says whether an upload is worth another attempt, and when.
func pauseAfter(err error, attempt int) (time.Duration, bool) {
	var failed *kie.Error
	if !errors.As(err, &failed) || failed.Class != kie.Temporary || attempt == attempts {
		return 0, false
	}
	backoff := firstPause << (attempt - 1)
	pause := max(backoff/2+rand.N(backoff/2), failed.Delay())
	return pause, pause <= longestPause
}

// notUploaded says in one line why there is no upload.
func (c *Clip) notUploaded(ctx context.Context, err error, attempt int) error {
	var failed *kie.Error
	errors.As(err, &failed)
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

// meter hashes what is sent and tells how much it was. It is locked because an
// answer may come while something is still being sent.
type meter struct {
	moved func(int64)

	mu    sync.Mutex
	hash  hash.Hash
	bytes int64
}

func (m *meter) Write(bytes []byte) (int, error) {
	m.moved(int64(len(bytes)))
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
