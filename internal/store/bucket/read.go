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

// Open streams the object. Its reader fails if nothing arrives for two minutes,
// and tells when the object was written.
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
	// A bucket that has gone is not a missing file.
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
		return nil, inWords(ctx, err)
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
	// Whoever reads may take a rest between two pieces.
	defer s.watchdog.Pause()
	n, err := s.from.Read(p)
	if err != nil && err != io.EOF {
		err = inWords(s.ctx, err)
	}
	return n, err
}

func (s *stream) ModTime() time.Time { return s.from.ModTime() }

func (s *stream) Close() error {
	defer s.watchdog.Stop()
	return s.from.Close()
}

// hashesTo reads an object from beginning to end and reports whether it has a
// SHA-256.
func (b *bucket) hashesTo(ctx context.Context, key, sum string) (bool, error) {
	reader, err := b.stream(ctx, key)
	if missing(err) {
		return false, nil
	}
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

// List names a folder once, as "name/", and does not look into it. It leaves out
// names that begin with a dot, as Check's own. The names are held in memory,
// since not every cloud has them in order.
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
		entry := store.Entry{Name: name, Bytes: next.Size}
		switch {
		case name == "", strings.HasPrefix(name, "."):
			continue
		case strings.HasSuffix(name, "/"):
			// Some tools store folders as objects, also that of the prefix.
			entry.Bytes = 0
		}
		entries = append(entries, entry)
	}
	slices.SortFunc(entries, func(x, y store.Entry) int { return strings.Compare(x.Name, y.Name) })
	// A folder may be there as such and as an object.
	return slices.Compact(entries), nil
}

func (b *bucket) next(ctx context.Context, listed *blob.ListIterator) (*blob.ListObject, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, askTimeout, errNoAnswer)
	defer cancel()
	next, err := listed.Next(ctx)
	if err == io.EOF {
		return nil, err
	}
	return next, inWords(ctx, err)
}
