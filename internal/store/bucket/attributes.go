package bucket

import (
	"context"
	"encoding/hex"
	"strings"

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

// headWith gets the attributes through gocloud, which has all but the version.
func headWith(ctx context.Context, blobs *blob.Bucket, key string) (object, *blob.Attributes, error) {
	attributes, err := blobs.Attributes(ctx, key)
	if err != nil {
		return object{}, nil, err
	}
	return object{
		bytes:    attributes.Size,
		md5:      hex.EncodeToString(attributes.MD5),
		recorded: recordedSHA256(attributes.Metadata),
	}, attributes, nil
}
