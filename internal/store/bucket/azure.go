package bucket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	azblob "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"gocloud.dev/blob"
	_ "gocloud.dev/blob/azureblob" // azblob://
)

// azureCloud writes with Put Blob only, whose bytes Azure compares with their MD5.
// gocloud's writer sends blocks; for blobs made of blocks Azure stores the MD5
// that the client sends without comparing it.
type azureCloud struct {
	attributesReader
	container *container.Client
}

// azure opens azblob://CONTAINER with the parameters of gocloud's azureblob.
func azure(ctx context.Context, bucket *url.URL) (*blob.Bucket, cloud, error) {
	// Since version 0.48 gocloud takes http only with localemu.
	query := bucket.Query()
	if cmp.Or(query.Get("protocol"), os.Getenv("AZURE_STORAGE_PROTOCOL")) == "http" && !query.Has("localemu") {
		query.Set("localemu", "true")
		emulator := *bucket
		emulator.RawQuery = query.Encode()
		bucket = &emulator
	}
	blobs, err := blob.DefaultURLMux().OpenBucketURL(ctx, bucket)
	if err != nil {
		if strings.Contains(err.Error(), "AccountName is required") {
			err = errors.New("no storage account: add ?storage_account=NAME or set AZURE_STORAGE_ACCOUNT")
		}
		return nil, nil, malformed(bucket, err)
	}
	a := &azureCloud{attributesReader: attributesReader{blobs}}
	blobs.As(&a.container)
	return blobs, a, nil
}

func (a *azureCloud) put(ctx context.Context, key string, content *content, body io.ReadSeeker, replaces string) error {
	if strings.ContainsAny(key, unsafe) {
		return fmt.Errorf("%.80q has a character that gocloud escapes on Azure", key)
	}
	condition := &azblob.ModifiedAccessConditions{}
	if replaces == "" {
		condition.IfNoneMatch = to.Ptr(azcore.ETagAny)
	} else {
		condition.IfMatch = new(azcore.ETag(replaces))
	}
	metadata := map[string]*string{}
	for name, value := range metadataOf(content) {
		metadata[name] = &value
	}
	_, err := a.container.NewBlockBlobClient(key).Upload(ctx, streaming.NopCloser(body), &blockblob.UploadOptions{
		HTTPHeaders:             &azblob.HTTPHeaders{BlobContentType: &content.contentType},
		Metadata:                metadata,
		TransactionalValidation: azblob.TransferValidationTypeMD5(raw(content.md5)),
		AccessConditions:        &azblob.AccessConditions{ModifiedAccessConditions: condition},
	})
	// For IfNoneMatch Azure answers 409 BlobAlreadyExists.
	if refused, _ := answerIn(err); refused.status == http.StatusPreconditionFailed || refused.code == "BlobAlreadyExists" {
		return errConflict
	}
	return err
}
