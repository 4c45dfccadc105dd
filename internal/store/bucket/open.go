package bucket

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	"gocloud.dev/blob"

	"lumaflow/internal/oneline"
	"lumaflow/internal/store"
)

// maxPrefix bounds the prefix in bytes, so that with the longest name a key stays
// within the 1024 bytes that clouds allow.
const maxPrefix = 512

func init() {
	for scheme, connect := range map[string]connector{
		"s3":     amazon,
		"gs":     google,
		"azblob": azure,
		"mem":    memory,
	} {
		store.Register(scheme, connect.open)
	}
}

// connector opens a bucket with gocloud by its URL without prefix, with
// credentials from the environment.
type connector func(ctx context.Context, bucket *url.URL) (*blob.Bucket, cloud, error)

func (connect connector) open(ctx context.Context, outputURL *url.URL) (store.Store, error) {
	plain, prefix, err := split(outputURL)
	if err != nil {
		return nil, &store.URLError{Err: err}
	}
	blobs, cloud, err := connect(ctx, plain)
	if err != nil {
		return nil, err
	}
	return &bucket{
		url:    url.URL{Scheme: plain.Scheme, Host: plain.Host},
		prefix: prefix,
		blobs:  blobs,
		cloud:  cloud,
		stall:  stallTimeout,
		lag:    defaultLag,
	}, nil
}

// split separates the prefix from a bucket's URL and rejects parts that gocloud
// would ignore.
func split(outputURL *url.URL) (plain *url.URL, prefix string, err error) {
	example := outputURL.Scheme + "://BUCKET?prefix=videos/"
	parameters, err := url.ParseQuery(outputURL.RawQuery)
	switch {
	case err != nil:
		return nil, "", errors.New("malformed parameters after the ?: write " + example)
	case outputURL.User != nil:
		return nil, "", errors.New("credentials don't belong into a bucket's URL: set them in the environment, see docs/storage.md under Buckets")
	case outputURL.Host == "" && outputURL.Scheme != "mem":
		return nil, "", errors.New("it names no bucket: write " + example)
	case strings.Contains(outputURL.Host, ":"):
		return nil, "", errors.New("a bucket has no port: name the bucket after the ://, and the server with ?endpoint=")
	case outputURL.Path != "" && outputURL.Path != "/":
		return nil, "", errors.New("a bucket's URL has no path: write " + example)
	case outputURL.Fragment != "":
		return nil, "", errors.New("a bucket's URL has no #: write it as %23")
	}
	for name, values := range parameters {
		if len(values) > 1 {
			return nil, "", fmt.Errorf("the parameter %q is given twice", name)
		}
	}
	if parameters.Has("key") {
		return nil, "", errors.New("the parameter key would give all videos one name: leave it out")
	}
	if prefix = parameters.Get("prefix"); prefix != "" {
		if err := checkPrefix(prefix); err != nil {
			return nil, "", err
		}
	}
	parameters.Del("prefix")
	return &url.URL{Scheme: outputURL.Scheme, Host: outputURL.Host, RawQuery: parameters.Encode()}, prefix, nil
}

// checkPrefix rejects prefixes that a cloud, a tool or gocloud would rewrite.
func checkPrefix(prefix string) error {
	switch {
	case !strings.HasSuffix(prefix, "/"):
		return errors.New("the prefix is that of a folder and ends with a slash: write ?prefix=videos/")
	case len(prefix) > maxPrefix:
		return fmt.Errorf("the prefix is over %d bytes", maxPrefix)
	case !utf8.ValidString(prefix), strings.ContainsAny(prefix, unsafe),
		strings.ContainsFunc(prefix, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return errors.New(`the prefix has a character that not all clouds accept: leave out control characters and "#%?\`)
	}
	for part := range strings.SplitSeq(strings.TrimSuffix(prefix, "/"), "/") {
		if part == "" || part == "." || part == ".." {
			return errors.New("the prefix has an empty part, or one that is . or ..: write ?prefix=videos/2026/")
		}
	}
	return nil
}

// unsafe are the characters that gocloud escapes only on Azure.
const unsafe = `"#%?\`

// malformed returns gocloud's error about a URL without the URL, which gocloud
// quotes.
func malformed(bucket *url.URL, err error) error {
	text := err.Error()
	if _, reason, quoted := strings.Cut(text, bucket.String()+": "); quoted {
		text = reason
	}
	return &store.URLError{Err: errors.New(oneline.Truncate(text, maxText))}
}
