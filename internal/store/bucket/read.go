package bucket

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"slices"
	"strings"
	"time"

	"gocloud.dev/blob"

	"lumaflow/internal/stall"
	"lumaflow/internal/store"
)

// Open streams the object. The reader fails after stallTimeout without a byte; its
// ModTime is the time of the write. It is an io.Seeker: a read after a Seek requests
// the rest of the object from there.
func (b *bucket) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	reader, err := b.read(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("open %.80q in %s: %w", name, b, err)
	}
	return reader, nil
}

func (b *bucket) read(ctx context.Context, name string) (io.ReadCloser, error) {
	key, err := b.key(name)
	if err != nil {
		return nil, err
	}
	reader, err := b.stream(ctx, key)
	if !missing(err) {
		return reader, err
	}
	// A missing bucket is not a missing file.
	if err := b.reachable(ctx); err != nil {
		return nil, err
	}
	return nil, fs.ErrNotExist
}

// stream reads an object from its beginning.
func (b *bucket) stream(ctx context.Context, key string) (io.ReadCloser, error) {
	ctx, watchdog := stall.Watch(ctx, b.stall, errStalled)
	reader, err := b.blobs.NewReader(ctx, key, nil)
	if err != nil {
		defer watchdog.Stop()
		return nil, shorten(ctx, err)
	}
	watchdog.Pause()
	return &stream{ctx, watchdog, reader}, nil
}

type stream struct {
	ctx      context.Context
	watchdog *stall.Watchdog
	from     *blob.Reader
}

func (s *stream) Read(p []byte) (int, error) {
	s.watchdog.Progress()
	// The time between two reads does not count as a stall.
	defer s.watchdog.Pause()
	n, err := s.from.Read(p)
	if err != nil && err != io.EOF {
		err = shorten(s.ctx, err)
	}
	return n, err
}

func (s *stream) Seek(offset int64, whence int) (int64, error) { return s.from.Seek(offset, whence) }

func (s *stream) ModTime() time.Time { return s.from.ModTime() }

func (s *stream) Close() error {
	defer s.watchdog.Stop()
	return s.from.Close()
}

// SignedURL returns a link that reads one file without credentials for a lifetime. It
// fails if the store or its credentials can't sign links, and does not check that the
// file exists.
func (b *bucket) SignedURL(ctx context.Context, name string, lifetime time.Duration) (string, error) {
	key, err := b.key(name)
	if err == nil {
		var link string
		link, err = b.blobs.SignedURL(ctx, key, &blob.SignedURLOptions{Expiry: lifetime})
		if err == nil {
			return link, nil
		}
		err = shorten(ctx, err)
	}
	return "", fmt.Errorf("sign a link to %.80q in %s: %w", name, b, err)
}

// hashesTo reads a whole object and reports whether its SHA-256 is sum. missing
// identifies the error for an object that does not exist.
func (b *bucket) hashesTo(ctx context.Context, key, sum string) (bool, error) {
	reader, err := b.stream(ctx, key)
	if err != nil {
		return false, err
	}
	defer reader.Close()
	digest := sha256.New()
	if _, err := io.Copy(digest, reader); err != nil {
		return false, err
	}
	return hex.EncodeToString(digest.Sum(nil)) == sum, nil
}

// List yields a folder once, as "name/", without its content. It skips names that
// begin with a dot, such as that of Check. It holds all names in memory, since not
// every cloud lists them in order.
func (b *bucket) List(ctx context.Context) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		entries, err := b.entries(ctx)
		if err != nil {
			yield(store.Entry{}, fmt.Errorf("list %s: %w", b, err))
			return
		}
		for _, entry := range entries {
			if !yield(entry, nil) {
				return
			}
		}
	}
}

func (b *bucket) entries(ctx context.Context) ([]store.Entry, error) {
	var entries []store.Entry
	listed := b.blobs.List(&blob.ListOptions{Prefix: b.prefix, Delimiter: "/"})
	for {
		next, err := b.next(ctx, listed)
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		name := strings.TrimPrefix(next.Key, b.prefix)
		entry := store.Entry{Name: name, Bytes: next.Size, Modified: next.ModTime.UTC()}
		switch {
		case name == "", strings.HasPrefix(name, "."):
			continue
		case strings.HasSuffix(name, "/"):
			// Some tools store folders as objects, also for the prefix itself.
			entry.Bytes, entry.Modified = 0, time.Time{}
		}
		entries = append(entries, entry)
	}
	slices.SortFunc(entries, func(x, y store.Entry) int { return strings.Compare(x.Name, y.Name) })
	// A folder may be listed as such and as an object.
	return slices.Compact(entries), nil
}

func (b *bucket) next(ctx context.Context, listed *blob.ListIterator) (*blob.ListObject, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, requestTimeout, errNoAnswer)
	defer cancel()
	next, err := listed.Next(ctx)
	if err == io.EOF {
		return nil, err
	}
	return next, shorten(ctx, err)
}
