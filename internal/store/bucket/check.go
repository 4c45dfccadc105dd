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

// Check lists the bucket, and writes, reads and removes a small object. Where
// these credentials may not delete, the object stays: one, whose name begins
// with a dot, however many workers check how often.
func (b *bucket) Check(ctx context.Context) error {
	err := b.reachable(ctx)
	if err == nil {
		err = b.writable(ctx)
	}
	if err != nil {
		return b.unusable(err)
	}
	return nil
}

func (b *bucket) writable(ctx context.Context) error {
	key := b.prefix + probe
	found, err := b.look(ctx, key)
	if err != nil && !missing(err) {
		return err
	}
	text := contentOf([]byte("lumaflow checks that it can write and read here: "+rand.Text()+"\n"), "text/plain")
	// Others that check at this moment may write first, and may remove what is
	// there; a cloud says so only to those who may write and read.
	if err := b.write(ctx, key, text, found.version); err != nil && !errors.Is(err, errOvertaken) {
		return err
	}
	if _, err := b.hashesTo(ctx, key, text.sha256); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, askTimeout, errNoAnswer)
	defer cancel()
	// Nothing but this needs the right to delete.
	_ = b.blobs.Delete(ctx, key)
	return nil
}

// Reach proves that the bucket can be listed. Its error says what to do.
func (b *bucket) Reach(ctx context.Context) error {
	if err := b.reachable(ctx); err != nil {
		return b.unusable(err)
	}
	return nil
}

// reachable asks for one name, which fails if there is no such bucket or if
// these credentials may not list it.
func (b *bucket) reachable(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, askTimeout, errNoAnswer)
	defer cancel()
	_, _, err := b.blobs.ListPage(ctx, blob.FirstPageToken, 1, &blob.ListOptions{Prefix: b.prefix})
	return inWords(ctx, err)
}

// unusable is what Check says.
func (b *bucket) unusable(err error) error {
	answer, _ := answerIn(err)
	var unreached *url.Error
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case answer.status == http.StatusNotFound:
		return fmt.Errorf("OUTPUT_URL: there is no bucket %s (%w): create it, or name another, or another region, account or endpoint", b, err)
	case answer.status == http.StatusUnauthorized, answer.status == http.StatusForbidden:
		return fmt.Errorf("OUTPUT_URL: these credentials may not list, read and write %s (%w): give them the permissions that the README has under Buckets", b, err)
	case errors.As(err, &unreached):
		return fmt.Errorf("OUTPUT_URL: %s can't be reached (%w): look at the network and at region, account and endpoint in the URL", b, err)
	default:
		return fmt.Errorf("OUTPUT_URL: %s can't be used: %w", b, err)
	}
}
