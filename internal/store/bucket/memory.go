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

// memoryCloud keeps objects in the memory of this process, for trials.
type memoryCloud struct{ attributesReader }

var (
	memoriesLock sync.Mutex
	memories     = map[string]*blob.Bucket{}
)

// memory opens mem://NAME. All stores of one name in a process share its objects.
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
	return blobs, &memoryCloud{attributesReader{blobs}}, nil
}

// put replaces an object of any version if replaces is not empty.
func (m *memoryCloud) put(ctx context.Context, key string, content *content, body io.ReadSeeker, replaces string) error {
	err := m.blobs.Upload(ctx, key, body, &blob.WriterOptions{
		ContentType: content.contentType,
		ContentMD5:  raw(content.md5),
		Metadata:    metadataOf(content),
		IfNotExist:  replaces == "",
	})
	if gcerrors.Code(err) == gcerrors.FailedPrecondition {
		return errConflict
	}
	return err
}
