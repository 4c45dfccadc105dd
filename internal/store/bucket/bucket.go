// Package bucket stores videos in buckets: Amazon S3 and what speaks like it
// (MinIO, R2, …), Google Cloud Storage, Azure Blob Storage, and memory for
// trials. A program that imports it can open their URLs with store.Open.
//
// An object is written by one request, which carries its size, content type and
// checksum, and is then asked for and compared. Its guarantees and limits:
//
//   - No part of a video is ever visible, and nothing is left behind when a
//     process dies in the middle: the cloud drops a request that breaks off.
//     There is no multipart upload that could be orphaned.
//   - The cloud itself compares the bytes that arrived with the checksum: on S3
//     the SHA-256 (Content-MD5 with request_checksum_calculation=when_required),
//     on the others the MD5. What it then says of the object must agree. Where
//     it says nothing that can be compared, as of objects that S3 encrypts with
//     KMS and that came by MD5, the object is read back.
//   - A write holds only as long as the object is the one that was seen before,
//     or is still missing. Attempts that run at once don't overwrite each other;
//     the later one finds the video and is content. A store that speaks S3 but
//     not its conditions (If-None-Match, If-Match) answers 501 and is then
//     written to without; one that ignores them can't be told. There the last
//     write wins, which matters only if two different videos get one name.
//   - One request bounds the size: 5 GiB on S3, 5000 MiB on Azure, 5 TiB on
//     Google Cloud Storage. Package fetch accepts 4 GiB.
//
// An upload reads the source from disk, once for its checksums and then as often
// as it is sent. It writes nothing to disk, and its memory does not grow with the
// video.
package bucket

import (
	"context"
	"errors"
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
	// maxLooks is how often an object is looked at until it is as it should be.
	// Between two looks it is written, or somebody else has written it.
	maxLooks = 5
	// askTimeout bounds a question, with all that the cloud's client does about
	// a failure.
	askTimeout = time.Minute
	// stallTimeout is how long no byte may move before a transfer is given up.
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
}

// cloud is what a bucket must do that gocloud has no common form for.
type cloud interface {
	// look describes an object. missing tells whether the error is that there
	// is none.
	look(ctx context.Context, key string) (object, error)
	// put writes an object by one request that the cloud refuses, with
	// errOvertaken, if the object is not the version over, or is there at all
	// if over is empty.
	put(ctx context.Context, key string, content *content, body io.ReadSeeker, over string) error
}

// object is what a cloud says of an object.
type object struct {
	bytes int64
	// sha256 and md5 are checksums that the cloud took itself of all bytes, in
	// hexadecimal, empty if it took none. noted is the SHA-256 that came with
	// the bytes.
	sha256, md5, noted string
	// version changes with every write; it is never empty.
	version string
}

var errOvertaken = errors.New("another write came first")

func (b *bucket) String() string { return b.url.Scheme + "://" + b.url.Host }

// key is the name of an object in the bucket.
func (b *bucket) key(name string) (string, error) {
	if err := store.CheckName(name); err != nil {
		return "", err
	}
	return b.prefix + name, nil
}

func (b *bucket) location(key string) string {
	at := b.url
	at.Path = "/" + key
	return at.String()
}

// PutVideo uploads the source and leaves it where it is.
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
	// Whoever put it there may have been killed before it could say so, and the
	// source may be gone.
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

// put looks and writes until the object is the content.
func (b *bucket) put(ctx context.Context, key string, content *content) error {
	for range maxLooks {
		found, err := b.look(ctx, key)
		if err == nil {
			var same bool
			if same, err = b.holds(ctx, key, found, content); err != nil || same {
				return err
			}
		} else if !missing(err) {
			return err
		}
		if err := b.write(ctx, key, content, found.version); err != nil && !errors.Is(err, errOvertaken) {
			return err
		}
	}
	return errors.New("it is never what was written to it: somebody else writes it all the time, or the store damages it")
}

func (b *bucket) look(ctx context.Context, key string) (object, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, askTimeout, errNoAnswer)
	defer cancel()
	found, err := b.cloud.look(ctx, key)
	if err == nil {
		// Memory does not care.
		err = ctx.Err()
	}
	return found, inWords(ctx, err)
}

func (b *bucket) write(ctx context.Context, key string, content *content, over string) error {
	ctx, watchdog := stall.Watch(ctx, b.stall, errStalled)
	defer watchdog.Stop()
	return inWords(ctx, b.cloud.put(ctx, key, content, watchedReader{content.reader(), watchdog}, over))
}

// holds reports whether an object that was found is the content.
func (b *bucket) holds(ctx context.Context, key string, found object, content *content) (bool, error) {
	switch {
	case found.bytes != content.bytes:
		return false, nil
	case found.sha256 != "":
		return found.sha256 == content.sha256, nil
	case found.md5 == content.md5:
		return true, nil
	default:
		// An ETag that is no MD5 may look like one.
		return b.hashesTo(ctx, key, content.sha256)
	}
}

// Matches goes by the checksum that the cloud took or, if it took none, by the
// one that lumaflow left with the bytes.
func (b *bucket) Matches(ctx context.Context, name string, bytes int64, sha256 string) (string, bool, error) {
	key, err := b.key(name)
	var same bool
	if err == nil {
		same, err = b.matches(ctx, key, bytes, sha256)
	}
	if err == nil && !same {
		// A bucket that has gone proves nothing about its videos.
		err = b.reachable(ctx)
	}
	if err != nil {
		return "", false, fmt.Errorf("re-read %.80q in %s: %w", name, b, err)
	}
	if !same {
		return "", false, nil
	}
	return b.location(key), true, nil
}

func (b *bucket) matches(ctx context.Context, key string, bytes int64, sha256 string) (bool, error) {
	found, err := b.look(ctx, key)
	switch {
	case missing(err):
		return false, nil
	case err != nil, found.bytes != bytes:
		return false, err
	case found.sha256 != "":
		return found.sha256 == sha256, nil
	case found.noted == sha256:
		return true, nil
	default:
		return b.hashesTo(ctx, key, sha256)
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
		reader.Close()
	}
	if err != nil {
		return store.Receipt{}, fmt.Errorf("read receipt %.80q in %s: %w", name, b, err)
	}
	return receipt, nil
}
