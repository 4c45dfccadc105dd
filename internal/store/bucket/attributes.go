package bucket

import (
	"context"
	"encoding/hex"
	"strings"

	"gocloud.dev/blob"
)

// sha256Note is the metadata that keeps the SHA-256 of an object with it. Its
// name is one that every cloud takes.
const sha256Note = "sha256"

func note(content *content) map[string]string {
	return map[string]string{sha256Note: content.sha256}
}

// noted finds the note again. Clouds and libraries differ in how they spell the
// names of metadata.
func noted(metadata map[string]string) string {
	for name, value := range metadata {
		if strings.EqualFold(name, sha256Note) {
			return value
		}
	}
	return ""
}

// lookWith asks through gocloud, which knows all of an object but its version.
func lookWith(ctx context.Context, blobs *blob.Bucket, key string) (object, *blob.Attributes, error) {
	attributes, err := blobs.Attributes(ctx, key)
	if err != nil {
		return object{}, nil, err
	}
	return object{
		bytes: attributes.Size,
		md5:   hex.EncodeToString(attributes.MD5),
		noted: noted(attributes.Metadata),
	}, attributes, nil
}
