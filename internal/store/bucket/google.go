package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"

	"cloud.google.com/go/storage"
	"gocloud.dev/blob"
	"gocloud.dev/blob/gcsblob"
	"gocloud.dev/gcp"
	googleauth "golang.org/x/oauth2/google"
)

// gcsCloud writes with one unbuffered request. gocloud's writer buffers 16 MiB of
// every upload.
type gcsCloud struct {
	attributesReader
	bucket *storage.BucketHandle
}

// google opens gs://BUCKET with the parameters of gocloud's gcsblob, except grpc
// and zonal, which upload by streams instead of one request.
func google(ctx context.Context, bucket *url.URL) (*blob.Bucket, cloud, error) {
	parameters := bucket.Query()
	for _, name := range []string{"grpc", "zonal"} {
		if parameters.Has(name) {
			return nil, nil, malformed(bucket, fmt.Errorf("the parameter %s is not supported: leave it out", name))
		}
	}
	opener := &gcsblob.URLOpener{Client: gcp.NewAnonymousHTTPClient(gcp.DefaultTransport())}
	if anonymous, _ := strconv.ParseBool(parameters.Get("anonymous")); !anonymous && parameters.Get("access_id") != "-" && os.Getenv("STORAGE_EMULATOR_HOST") == "" {
		// Without credentials, gocloud's own lookup prints a warning to stdout
		// and continues.
		credentials, err := gcp.DefaultCredentialsWithParams(ctx, googleauth.CredentialsParams{UniverseDomain: parameters.Get("universe_domain")})
		if err == nil {
			opener.Client, err = gcp.NewHTTPClient(gcp.DefaultTransport(), credentials.TokenSource)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("OUTPUT_URL: no credentials for gs://%s (%w): set GOOGLE_APPLICATION_CREDENTIALS to a key file, or run `gcloud auth application-default login`", bucket.Host, shorten(ctx, err))
		}
	}
	blobs, err := opener.OpenBucketURL(ctx, bucket)
	if err != nil {
		return nil, nil, malformed(bucket, err)
	}
	var client *storage.Client
	blobs.As(&client)
	return blobs, &gcsCloud{attributesReader{blobs}, client.Bucket(bucket.Host)}, nil
}

func (g *gcsCloud) put(ctx context.Context, key string, content *content, body io.ReadSeeker, replaces string) error {
	// Cancellation discards an incomplete upload.
	ctx, abandon := context.WithCancel(ctx)
	defer abandon()
	condition := storage.Conditions{DoesNotExist: true}
	if replaces != "" {
		generation, err := strconv.ParseInt(replaces, 10, 64)
		if err != nil {
			return err
		}
		condition = storage.Conditions{GenerationMatch: generation}
	}
	writer := g.bucket.Object(key).If(condition).NewWriter(ctx)
	writer.ChunkSize = 0
	writer.ContentType = content.contentType
	writer.Metadata = metadataOf(content)
	writer.MD5 = raw(content.md5)
	_, err := io.Copy(writer, body)
	if err != nil {
		abandon()
	}
	if closed := writer.Close(); closed != nil && (err == nil || errors.Is(err, io.ErrClosedPipe)) {
		err = closed
	}
	if refused, _ := answerIn(err); refused.status == http.StatusPreconditionFailed {
		return errConflict
	}
	return err
}
