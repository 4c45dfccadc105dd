package bucket

import (
	"context"
	"encoding/hex"
	"strconv"
	"strings"

	"cloud.google.com/go/storage"
	"gocloud.dev/blob"
)

// sha256Key is the metadata key of an object's SHA-256, valid on every cloud.
const sha256Key = "sha256"

func metadataOf(content *content) map[string]string {
	return map[string]string{sha256Key: content.sha256}
}

// recordedSHA256 reads the SHA-256 from metadata. The case of the key differs
// between clouds and libraries.
func recordedSHA256(metadata map[string]string) string {
	for key, value := range metadata {
		if strings.EqualFold(key, sha256Key) {
			return value
		}
	}
	return ""
}

// attributesReader is the head of the clouds whose attributes gocloud has.
type attributesReader struct{ blobs *blob.Bucket }

func (r attributesReader) head(ctx context.Context, key string) (object, error) {
	attributes, err := r.blobs.Attributes(ctx, key)
	if err != nil {
		return object{}, err
	}
	found := object{
		bytes:    attributes.Size,
		md5:      hex.EncodeToString(attributes.MD5),
		recorded: recordedSHA256(attributes.Metadata),
		version:  attributes.ETag,
	}
	// The conditions of Google take a generation instead of an ETag.
	var google storage.ObjectAttrs
	if attributes.As(&google) {
		found.version = strconv.FormatInt(google.Generation, 10)
	}
	return found, nil
}
