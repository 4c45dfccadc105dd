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

// gcsCloud writes with one request that has no buffer. gocloud's writer keeps 16
// MiB of every upload in memory.
type gcsCloud struct {
	blobs  *blob.Bucket
	bucket *storage.BucketHandle
}

// google opens gs://BUCKET with the parameters of gocloud's gcsblob, except grpc
// and zonal: uploads there are streams that stay open, not one request.
func google(ctx context.Context, bucket *url.URL) (*blob.Bucket, cloud, error) {
	parameters := bucket.Query()
	for _, name := range []string{"grpc", "zonal"} {
		if parameters.Has(name) {
			return nil, nil, malformed(bucket, fmt.Errorf("the parameter %s is not supported: leave it out", name))
		}
	}
	opener := &gcsblob.URLOpener{Client: gcp.NewAnonymousHTTPClient(gcp.DefaultTransport())}
	if anonymous, _ := strconv.ParseBool(parameters.Get("anonymous")); !anonymous && parameters.Get("access_id") != "-" && os.Getenv("STORAGE_EMULATOR_HOST") == "" {
		// gocloud's own way prints a warning to stdout if there are none, and
		// goes on.
		credentials, err := gcp.DefaultCredentialsWithParams(ctx, googleauth.CredentialsParams{UniverseDomain: parameters.Get("universe_domain")})
		if err == nil {
			opener.Client, err = gcp.NewHTTPClient(gcp.DefaultTransport(), credentials.TokenSource)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("OUTPUT_URL: no credentials for gs://%s (%w): set GOOGLE_APPLICATION_CREDENTIALS to a key file, or run `gcloud auth application-default login`", bucket.Host, inWords(ctx, err))
		}
	}
	blobs, err := opener.OpenBucketURL(ctx, bucket)
	if err != nil {
		return nil, nil, malformed(bucket, err)
	}
	var client *storage.Client
	blobs.As(&client)
	return blobs, &gcsCloud{blobs, client.Bucket(bucket.Host)}, nil
}

func (g *gcsCloud) look(ctx context.Context, key string) (object, error) {
	found, attributes, err := lookWith(ctx, g.blobs, key)
	if err != nil {
		return object{}, err
	}
	var raw storage.ObjectAttrs
	attributes.As(&raw)
	found.version = strconv.FormatInt(raw.Generation, 10)
	return found, nil
}

func (g *gcsCloud) put(ctx context.Context, key string, content *content, body io.ReadSeeker, over string) error {
	// An upload whose context has ended is none.
	ctx, abandon := context.WithCancel(ctx)
	defer abandon()
	condition := storage.Conditions{DoesNotExist: true}
	if over != "" {
		generation, err := strconv.ParseInt(over, 10, 64)
		if err != nil {
			return err
		}
		condition = storage.Conditions{GenerationMatch: generation}
	}
	writer := g.bucket.Object(key).If(condition).NewWriter(ctx)
	writer.ChunkSize = 0
	writer.ContentType = content.contentType
	writer.Metadata = note(content)
	writer.MD5 = raw(content.md5)
	_, err := io.Copy(writer, body)
	if err != nil {
		abandon()
	}
	if closed := writer.Close(); closed != nil && (err == nil || errors.Is(err, io.ErrClosedPipe)) {
		err = closed
	}
	if refused, _ := answerIn(err); refused.status == http.StatusPreconditionFailed {
		return errOvertaken
	}
	return err
}
