// Package bucket stores videos in buckets: Amazon S3 and compatible stores (MinIO,
// R2, …), Google Cloud Storage, Azure Blob Storage, and memory for trials. A
// program that imports it can open their URLs with store.Open.
//
// One request writes an object, with its size, content type and checksum. The
// attributes of the object are then read and compared. Guarantees and limits:
//
//   - A partial video is never visible, and a killed process leaves nothing
//     behind: the cloud discards an incomplete request. There is no multipart
//     upload that could be orphaned.
//   - The cloud compares the received bytes with the checksum: S3 the SHA-256
//     (Content-MD5 with request_checksum_calculation=when_required), the others
//     the MD5. The checksum in the attributes must then match. If the attributes
//     have no comparable checksum, as for objects with an MD5 that S3 encrypts
//     with KMS, the object is read back.
//   - A write is conditional on the version of the object that was read before, or
//     on its absence. Concurrent attempts don't overwrite each other; the later
//     one finds the stored video and succeeds. A compatible store without
//     conditions (If-None-Match, If-Match) answers 501 and is written to without
//     them; one that ignores them can't be detected. On both the last write wins,
//     which matters only if two different videos have one name.
//   - If a store shows a write late, requests for its state are repeated for 30 s
//     before anything is written again. An attempt that is interrupted in that time leaves its object;
//     the next one, by another process too, finds it, or is refused by the condition
//     and waits for it. Without conditions it writes the same bytes again.
//   - The maximum size of one request applies: 5 GiB on S3, 5000 MiB on Azure, 5
//     TiB on Google Cloud Storage. Package fetch accepts 4 GiB.
//
// An upload reads the source from disk, once for its checksums and once per
// request. It writes nothing to disk, and its memory does not grow with the video.
package bucket

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"time"

	"gocloud.dev/blob"

	"lumaflow/internal/stall"
	"lumaflow/internal/store"
)

const (
	// maxAttempts bounds the rounds of comparing and writing an object.
	maxAttempts = 5
	// requestTimeout bounds a request without a transfer, including the retries
	// of the cloud's client.
	requestTimeout = time.Minute
	// stallTimeout is the time without a byte after which a transfer is canceled.
	stallTimeout = 2 * time.Minute
)

// bucket is a store.Store below a prefix.
type bucket struct {
	// url is the bucket without prefix and parameters, as in s3://films.
	url    url.URL
	prefix string
	blobs  *blob.Bucket
	cloud  cloud
	stall  time.Duration
	lag    lag
}

// cloud is the set of operations that differ between clouds.
type cloud interface {
	// head returns the attributes of an object. missing identifies the error for
	// an object that does not exist.
	head(ctx context.Context, key string) (object, error)
	// put writes an object with one conditional request. It returns errConflict
	// if the current version is not replaces or, for an empty replaces, if the
	// object exists.
	put(ctx context.Context, key string, content *content, body io.ReadSeeker, replaces string) error
}

// object is the attributes of an object.
type object struct {
	bytes int64
	// sha256 and md5 are checksums over all bytes that the cloud computed, in
	// hexadecimal, empty if it computed none. recorded is the SHA-256 in the
	// metadata of the upload.
	sha256, md5, recorded string
	// version changes with every write and is never empty.
	version string
}

func (b *bucket) String() string { return b.url.Scheme + "://" + b.url.Host }

// key is the name with the prefix.
func (b *bucket) key(name string) (string, error) {
	if err := store.CheckName(name); err != nil {
		return "", err
	}
	return b.prefix + name, nil
}

func (b *bucket) location(key string) string {
	location := b.url
	location.Path = "/" + key
	return location.String()
}

// PutVideo uploads the source and does not move it.
func (b *bucket) PutVideo(ctx context.Context, name string, source store.Source) (string, error) {
	key, err := b.key(name)
	if err == nil {
		err = b.putVideo(ctx, key, source)
	}
	if err != nil {
		return "", fmt.Errorf("store %.80q in %s: %w", name, b, err)
	}
	return b.location(key), nil
}

func (b *bucket) putVideo(ctx context.Context, key string, source store.Source) error {
	// An earlier attempt may have stored the video, been killed before it
	// returned, and lost the source.
	if stored, err := b.matches(ctx, key, source.Bytes, source.SHA256); err != nil || stored {
		return err
	}
	file, err := os.Open(source.Path)
	if err != nil {
		return err
	}
	defer file.Close()
	content, err := contentIn(ctx, file, source)
	if err != nil {
		return err
	}
	return b.put(ctx, key, content)
}

func (b *bucket) head(ctx context.Context, key string) (object, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, requestTimeout, errNoAnswer)
	defer cancel()
	found, err := b.cloud.head(ctx, key)
	if err == nil {
		// The memory bucket ignores its context.
		err = ctx.Err()
	}
	return found, shorten(ctx, err)
}

func (b *bucket) write(ctx context.Context, key string, content *content, replaces string) error {
	ctx, watchdog := stall.Watch(ctx, b.stall, errStalled)
	defer watchdog.Stop()
	return shorten(ctx, b.cloud.put(ctx, key, content, watchedReader{content.reader(), watchdog}, replaces))
}

// holds reports whether an object has the content. Its error is missing if the
// bytes had to be read and the store does not find them.
func (b *bucket) holds(ctx context.Context, key string, found object, content *content) (bool, error) {
	switch {
	case found.bytes != content.bytes:
		return false, nil
	case found.sha256 != "":
		return found.sha256 == content.sha256, nil
	case found.md5 == content.md5:
		return true, nil
	default:
		// Without an equal checksum only the bytes decide: an ETag may have the
		// form of an MD5 and be none.
		return b.hashesTo(ctx, key, content.sha256)
	}
}

// Matches compares the checksum that the cloud computed, else the one in the
// metadata of the upload, else the bytes.
func (b *bucket) Matches(ctx context.Context, name string, bytes int64, sha256 string) (string, bool, error) {
	key, err := b.key(name)
	var same bool
	if err == nil {
		same, err = b.matches(ctx, key, bytes, sha256)
	}
	if err == nil && !same {
		// A missing bucket is not a missing video.
		err = b.reachable(ctx)
	}
	switch {
	case err != nil:
		return "", false, fmt.Errorf("re-read %.80q in %s: %w", name, b, err)
	case !same:
		return "", false, nil
	}
	return b.location(key), true, nil
}

func (b *bucket) matches(ctx context.Context, key string, bytes int64, sha256 string) (bool, error) {
	found, err := b.head(ctx, key)
	switch {
	case missing(err):
		return false, nil
	case err != nil, found.bytes != bytes:
		return false, err
	case found.sha256 != "":
		return found.sha256 == sha256, nil
	case found.recorded == sha256:
		return true, nil
	default:
		same, err := b.hashesTo(ctx, key, sha256)
		if missing(err) {
			return false, nil
		}
		return same, err
	}
}

// PutReceipt writes one object, like PutVideo.
func (b *bucket) PutReceipt(ctx context.Context, name string, receipt store.Receipt) (string, error) {
	key, err := b.key(name)
	var text []byte
	if err == nil {
		text, err = receipt.Encode()
	}
	if err == nil {
		err = b.put(ctx, key, contentOf(text, "application/json"))
	}
	if err != nil {
		return "", fmt.Errorf("store receipt %.80q in %s: %w", name, b, err)
	}
	return b.location(key), nil
}

// Receipt reads at most 1 MiB.
func (b *bucket) Receipt(ctx context.Context, name string) (store.Receipt, error) {
	var receipt store.Receipt
	reader, err := b.read(ctx, name)
	if err == nil {
		receipt, err = store.DecodeReceipt(reader)
		_ = reader.Close()
	}
	if err != nil {
		return store.Receipt{}, fmt.Errorf("read receipt %.80q in %s: %w", name, b, err)
	}
	return receipt, nil
}
