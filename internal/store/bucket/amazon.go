package bucket

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"

	"lumaflow/internal/store"
)

// credentialsTimeout bounds the search for credentials, whose last step is an
// address that exists only on Amazon's machines.
const credentialsTimeout = 20 * time.Second

// s3Cloud writes with PutObject only. gocloud's writer buffers 16 MiB, uses
// multipart uploads above that, and leaves the parts behind if it is killed or
// canceled.
type s3Cloud struct {
	client *s3.Client
	bucket string
	// encryption and kmsKey are parameters of the URL.
	encryption types.ServerSideEncryption
	kmsKey     string
}

// amazon opens s3://BUCKET with the parameters of gocloud's s3blob.
func amazon(ctx context.Context, bucket *url.URL) (*blob.Bucket, cloud, error) {
	parameters := bucket.Query()
	if err := checkEndpoint(parameters.Get("endpoint")); err != nil {
		return nil, nil, &store.URLError{Err: err}
	}
	blobs, err := blob.DefaultURLMux().OpenBucketURL(ctx, bucket)
	if err != nil {
		return nil, nil, malformed(bucket, err)
	}
	s := &s3Cloud{bucket: bucket.Host, kmsKey: parameters.Get("kmskeyid")}
	for _, known := range s.encryption.Values() {
		if strings.EqualFold(string(known), parameters.Get("ssetype")) {
			s.encryption = known
		}
	}
	blobs.As(&s.client)
	options := s.client.Options()
	// Many stores keep no checksum; the SDK would log that at every read.
	options.DisableLogOutputChecksumValidationSkipped = true
	s.client = s3.New(options)
	if blobs, err = s3blob.OpenBucket(ctx, s.client, s.bucket, nil); err != nil {
		return nil, nil, malformed(bucket, err)
	}
	if options.Region == "" {
		return nil, nil, &store.URLError{Err: errors.New("S3 needs a region: add ?region=eu-central-1 or set AWS_REGION; for most stores with an endpoint of their own us-east-1 or auto will do")}
	}
	// Anonymous access has no credentials.
	if options.Credentials != nil {
		ctx, cancel := context.WithTimeoutCause(ctx, credentialsTimeout, errNoAnswer)
		defer cancel()
		if _, err := options.Credentials.Retrieve(ctx); err != nil {
			return nil, nil, fmt.Errorf("OUTPUT_URL: no credentials for s3://%s (%w): set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give this machine a role", s.bucket, noCredentials(ctx, err))
		}
	}
	return blobs, s, nil
}

// noCredentials shortens the error of the search for credentials. Its last step is
// the machine's role, whose error explains nothing outside of Amazon.
func noCredentials(ctx context.Context, err error) error {
	if operation, ok := errors.AsType[*smithy.OperationError](err); ok && operation.Service() == "ec2imds" {
		return &shortError{"there are none in the environment and in ~/.aws, and this machine has no role", err}
	}
	return shorten(ctx, err)
}

func checkEndpoint(endpoint string) error {
	if endpoint == "" {
		return nil
	}
	parsed, err := url.Parse(endpoint)
	if err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Host == "" || parsed.User != nil {
		return errors.New("the endpoint is the address of a server: write ?endpoint=https://minio.example.org:9000")
	}
	return nil
}

func (s *s3Cloud) head(ctx context.Context, key string) (object, error) {
	head, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{
		Bucket:       &s.bucket,
		Key:          &key,
		ChecksumMode: types.ChecksumModeEnabled,
	})
	if err != nil {
		return object{}, err
	}
	return object{
		bytes:    aws.ToInt64(head.ContentLength),
		sha256:   fullChecksum(head),
		md5:      strings.Trim(aws.ToString(head.ETag), `"`),
		recorded: recordedSHA256(head.Metadata),
		version:  aws.ToString(head.ETag),
	}, nil
}

// fullChecksum is the SHA-256 of an object's bytes, empty if S3 has only one over
// the checksums of its parts.
func fullChecksum(head *s3.HeadObjectOutput) string {
	sum, err := base64.StdEncoding.DecodeString(aws.ToString(head.ChecksumSHA256))
	if err != nil || head.ChecksumType == types.ChecksumTypeComposite {
		return ""
	}
	return hex.EncodeToString(sum)
}

func (s *s3Cloud) put(ctx context.Context, key string, content *content, body io.ReadSeeker, replaces string) error {
	input := &s3.PutObjectInput{
		Bucket:               &s.bucket,
		Key:                  &key,
		Body:                 body,
		ContentLength:        &content.bytes,
		ContentType:          &content.contentType,
		Metadata:             metadataOf(content),
		ServerSideEncryption: s.encryption,
	}
	if s.kmsKey != "" {
		input.SSEKMSKeyId = &s.kmsKey
	}
	if s.client.Options().RequestChecksumCalculation == aws.RequestChecksumCalculationWhenRequired {
		input.ContentMD5 = aws.String(base64.StdEncoding.EncodeToString(raw(content.md5)))
	} else {
		input.ChecksumSHA256 = aws.String(base64.StdEncoding.EncodeToString(raw(content.sha256)))
	}
	if replaces == "" {
		input.IfNoneMatch = aws.String("*")
	} else {
		input.IfMatch = &replaces
	}
	_, err := s.client.PutObject(ctx, input)
	if refused, _ := answerIn(err); refused.status == http.StatusNotImplemented {
		if _, err := body.Seek(0, io.SeekStart); err != nil {
			return err
		}
		input.IfNoneMatch, input.IfMatch = nil, nil
		_, err = s.client.PutObject(ctx, input)
	}
	switch refused, _ := answerIn(err); {
	case refused.status == http.StatusPreconditionFailed,
		refused.code == "ConditionalRequestConflict",
		// The object to replace has been deleted.
		input.IfMatch != nil && missing(err):
		return errConflict
	}
	return err
}
