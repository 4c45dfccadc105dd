package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Open opens the store that OUTPUT_URL names: a path or a file:// URL. It
// creates the folder if need be.
func Open(ctx context.Context, outputURL string) (Store, error) {
	return open(ctx, outputURL, func(path string) error {
		if err := os.MkdirAll(path, 0o755); err != nil {
			return unusable(path, err)
		}
		return nil
	})
}

// OpenExisting is Open for those who only read: it creates nothing, and refuses
// a folder that is not there or can't be read.
func OpenExisting(ctx context.Context, outputURL string) (Store, error) {
	return open(ctx, outputURL, func(path string) error {
		if _, err := os.ReadDir(path); err != nil {
			return fmt.Errorf("OUTPUT_URL: the folder %s can't be read (%w): name the folder that a worker stores videos in", path, withoutPath(err))
		}
		return nil
	})
}

func open(ctx context.Context, outputURL string, prepare func(path string) error) (Store, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	path, err := folder(outputURL)
	if err != nil {
		return nil, &URLError{Err: err}
	}
	if err := prepare(path); err != nil {
		return nil, err
	}
	return &directory{path: path}, nil
}

// URLError says that OUTPUT_URL itself is wrong, as opposed to the place that it
// names.
type URLError struct{ Err error }

func (e *URLError) Error() string { return "OUTPUT_URL: " + e.Err.Error() }

// Unwrap returns what is wrong with it.
func (e *URLError) Unwrap() error { return e.Err }

// folder turns OUTPUT_URL into an absolute path. Its errors don't quote the
// URL, which may carry credentials for a bucket.
func folder(outputURL string) (string, error) {
	if outputURL == "" {
		return "", errors.New("empty: name a folder, such as ./videos")
	}
	if strings.ContainsRune(outputURL, 0) {
		return "", errors.New("it contains a zero byte")
	}
	scheme, _, isURL := strings.Cut(outputURL, "://")
	scheme = strings.ToLower(scheme)
	if !isURL && strings.HasPrefix(strings.ToLower(outputURL), "file:") {
		scheme, isURL = "file", true
	}
	switch {
	case !isURL:
		return filepath.Abs(outputURL)
	case scheme == "file":
		return fileURLPath(outputURL)
	case scheme == "s3", scheme == "gs", scheme == "azblob":
		return "", fmt.Errorf("this build stores to folders only, not to %s:// buckets: name a folder or a file:// URL", scheme)
	default:
		return "", errors.New("only a folder or a file:// URL can be stored to")
	}
}

func fileURLPath(text string) (string, error) {
	parsed, err := url.Parse(text)
	switch {
	case err != nil:
		return "", errors.New("malformed file:// URL: write file:///absolute/path, with %25 for a percent sign")
	case parsed.Host != "" && !strings.EqualFold(parsed.Host, "localhost"), parsed.User != nil:
		return "", errors.New("a file:// URL names this machine only: write file:///absolute/path, with three slashes")
	case !strings.HasPrefix(parsed.Path, "/"):
		return "", errors.New("a file:// URL is absolute: write file:///absolute/path, or leave file: out for a relative path")
	case parsed.RawQuery != "" || parsed.ForceQuery || parsed.Fragment != "":
		return "", errors.New("a file:// URL has no ? and #: write them as %3F and %23")
	case strings.ContainsRune(parsed.Path, 0):
		return "", errors.New("it contains a zero byte")
	}
	path := parsed.Path
	if runtime.GOOS == "windows" {
		// file:///C:/videos
		path = strings.TrimPrefix(path, "/")
	}
	return filepath.Abs(filepath.FromSlash(path))
}

func fileURL(path string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return (&url.URL{Scheme: "file", Path: path}).String()
}
