package bucket

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"gocloud.dev/blob"
)

// probe is the object that Check writes and removes.
const probe = ".lumaflow-check"

// Check lists the bucket, and writes, reads and removes a small hidden object. Its
// name is the same in every check, so that credentials without the permission to
// delete leave only one object behind.
func (b *bucket) Check(ctx context.Context) error {
	err := b.reachable(ctx)
	if err == nil {
		err = b.writable(ctx)
	}
	return b.unusable(err)
}

func (b *bucket) writable(ctx context.Context) error {
	key := b.prefix + probe
	found, err := b.head(ctx, key)
	if err != nil && !missing(err) {
		return err
	}
	text := contentOf([]byte("lumaflow checks that it can write and read here: "+rand.Text()+"\n"), "text/plain")
	// A concurrent check may write first or remove the object. Both errors prove
	// the permission: without it, the cloud answers with another error.
	if err := b.write(ctx, key, text, found.version); err != nil && !errors.Is(err, errConflict) {
		return err
	}
	// A concurrent check may remove the object, and the store may show it late.
	if _, err := b.hashesTo(ctx, key, text.sha256); err != nil && !missing(err) {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, requestTimeout, errNoAnswer)
	defer cancel()
	// A failure is ignored: no other operation needs the permission to delete.
	_ = b.blobs.Delete(ctx, key)
	return nil
}

// Reach checks that the bucket can be listed. Its error names the next step.
func (b *bucket) Reach(ctx context.Context) error {
	return b.unusable(b.reachable(ctx))
}

// reachable lists one name, which fails for a missing bucket and without the
// permission to list.
func (b *bucket) reachable(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, requestTimeout, errNoAnswer)
	defer cancel()
	_, _, err := b.blobs.ListPage(ctx, blob.FirstPageToken, 1, &blob.ListOptions{Prefix: b.prefix})
	return shorten(ctx, err)
}

// unusable adds the next step to the error of a check.
func (b *bucket) unusable(err error) error {
	answer, _ := answerIn(err)
	var unreachable *url.Error
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return err
	case answer.status == http.StatusNotFound:
		return fmt.Errorf("OUTPUT_URL: there is no bucket %s (%w): create it, or name another, or another region, account or endpoint", b, err)
	case answer.status == http.StatusUnauthorized, answer.status == http.StatusForbidden:
		return fmt.Errorf("OUTPUT_URL: these credentials may not list, read and write %s (%w): give them the permissions that docs/storage.md lists under Buckets", b, err)
	case errors.As(err, &unreachable):
		return fmt.Errorf("OUTPUT_URL: %s can't be reached (%w): check the network and the region, account and endpoint in the URL", b, err)
	default:
		return fmt.Errorf("OUTPUT_URL: %s can't be used: %w", b, err)
	}
}
