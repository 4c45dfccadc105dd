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

// credentialsTimeout bounds the search for credentials, which ends at an address
// that answers only on Amazon's own machines.
const credentialsTimeout = 20 * time.Second

// s3Cloud writes with PutObject alone. gocloud's writer turns to multipart
// uploads from 16 MiB on, reads 16 MiB into memory before that, and leaves the
// parts behind if it is killed or canceled.
type s3Cloud struct {
	client *s3.Client
	bucket string
	// encryption and kmsKey are what the URL asked for.
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
	// Many stores keep no checksum, and the log would say so at every read.
	options.DisableLogOutputChecksumValidationSkipped = true
	s.client = s3.New(options)
	if blobs, err = s3blob.OpenBucket(ctx, s.client, s.bucket, nil); err != nil {
		return nil, nil, malformed(bucket, err)
	}
	if options.Region == "" {
		return nil, nil, &store.URLError{Err: errors.New("S3 needs a region: add ?region=eu-central-1 or set AWS_REGION; for most stores with an endpoint of their own us-east-1 or auto will do")}
	}
	// Anonymous access has none.
	if options.Credentials != nil {
		ctx, cancel := context.WithTimeoutCause(ctx, credentialsTimeout, errNoAnswer)
		defer cancel()
		if _, err := options.Credentials.Retrieve(ctx); err != nil {
			return nil, nil, fmt.Errorf("OUTPUT_URL: no credentials for s3://%s (%w): set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give this machine a role", s.bucket, whyNone(ctx, err))
		}
	}
	return blobs, s, nil
}

// whyNone is why there are no credentials. The last place that is asked is this
// machine, and what it says is of no use where it is none of Amazon's.
func whyNone(ctx context.Context, err error) error {
	var asked *smithy.OperationError
	if errors.As(err, &asked) && asked.Service() == "ec2imds" {
		return &trouble{"there are none in the environment and in ~/.aws, and this machine has no role", err}
	}
	return inWords(ctx, err)
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

func (s *s3Cloud) look(ctx context.Context, key string) (object, error) {
	head, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{
		Bucket:       &s.bucket,
		Key:          &key,
		ChecksumMode: types.ChecksumModeEnabled,
	})
	if err != nil {
		return object{}, err
	}
	return object{
		bytes:   aws.ToInt64(head.ContentLength),
		sha256:  fullChecksum(head),
		md5:     strings.Trim(aws.ToString(head.ETag), `"`),
		noted:   noted(head.Metadata),
		version: aws.ToString(head.ETag),
	}, nil
}

// fullChecksum is the SHA-256 of an object, as opposed to one over the checksums
// of its parts.
func fullChecksum(head *s3.HeadObjectOutput) string {
	sum, err := base64.StdEncoding.DecodeString(aws.ToString(head.ChecksumSHA256))
	if err != nil || head.ChecksumType == types.ChecksumTypeComposite {
		return ""
	}
	return hex.EncodeToString(sum)
}

func (s *s3Cloud) put(ctx context.Context, key string, content *content, body io.ReadSeeker, over string) error {
	input := &s3.PutObjectInput{
		Bucket:               &s.bucket,
		Key:                  &key,
		Body:                 body,
		ContentLength:        &content.bytes,
		ContentType:          &content.contentType,
		Metadata:             note(content),
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
	if over == "" {
		input.IfNoneMatch = aws.String("*")
	} else {
		input.IfMatch = &over
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
		// What was to be replaced has gone.
		input.IfMatch != nil && missing(err):
		return errOvertaken
	}
	return err
}
