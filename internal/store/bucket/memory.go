package bucket

import (
	"context"
	"io"
	"net/url"
	"sync"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/memblob" // mem://
	"gocloud.dev/gcerrors"
)

// memoryCloud is for trials: what it holds is in the memory of this process and
// ends with it.
type memoryCloud struct{ blobs *blob.Bucket }

var (
	memoriesLock sync.Mutex
	memories     = map[string]*blob.Bucket{}
)

// memory opens mem://NAME. In one process all that open a name share it.
func memory(ctx context.Context, bucket *url.URL) (*blob.Bucket, cloud, error) {
	blobs, err := blob.DefaultURLMux().OpenBucketURL(ctx, bucket)
	if err != nil {
		return nil, nil, malformed(bucket, err)
	}
	memoriesLock.Lock()
	defer memoriesLock.Unlock()
	if earlier := memories[bucket.Host]; earlier != nil {
		blobs = earlier
	}
	memories[bucket.Host] = blobs
	return blobs, &memoryCloud{blobs}, nil
}

func (m *memoryCloud) look(ctx context.Context, key string) (object, error) {
	found, attributes, err := lookWith(ctx, m.blobs, key)
	if err != nil {
		return object{}, err
	}
	found.version = attributes.ETag
	return found, nil
}

// put replaces whatever is there if over is not empty.
func (m *memoryCloud) put(ctx context.Context, key string, content *content, body io.ReadSeeker, over string) error {
	err := m.blobs.Upload(ctx, key, body, &blob.WriterOptions{
		ContentType: content.contentType,
		ContentMD5:  raw(content.md5),
		Metadata:    note(content),
		IfNotExist:  over == "",
	})
	if gcerrors.Code(err) == gcerrors.FailedPrecondition {
		return errOvertaken
	}
	return err
}
