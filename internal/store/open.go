package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Opener opens the store of a URL; credentials come from the environment. Its
// errors don't quote the URL, and are of type *URLError if the URL is invalid.
type Opener func(ctx context.Context, url *url.URL) (Store, error)

var openers = map[string]Opener{}

// Register sets the opener of a URL scheme. Packages with other kinds of stores
// call it in init, so that only programs that import them link their code.
func Register(scheme string, opener Opener) {
	if _, taken := openers[scheme]; taken {
		panic("store: two openers for " + scheme + "://")
	}
	openers[scheme] = opener
}

// Open opens the store of OUTPUT_URL: a path, a file:// URL, or a URL with a
// registered scheme. It creates a missing folder.
func Open(ctx context.Context, outputURL string) (Store, error) {
	return open(ctx, outputURL, func(path string) error {
		if err := os.MkdirAll(path, 0o755); err != nil {
			return unusable(path, err)
		}
		return nil
	})
}

// OpenExisting is Open for readers: it creates nothing and rejects a folder or a
// bucket that is missing or can't be read.
func OpenExisting(ctx context.Context, outputURL string) (Store, error) {
	opened, err := open(ctx, outputURL, func(path string) error {
		if _, err := os.ReadDir(path); err != nil {
			return fmt.Errorf("OUTPUT_URL: the folder %s can't be read (%w): name the folder that a worker stores videos in", path, withoutPath(err))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if remote, ok := opened.(interface{ Reach(context.Context) error }); ok {
		if err := remote.Reach(ctx); err != nil {
			return nil, err
		}
	}
	return opened, nil
}

func open(ctx context.Context, outputURL string, prepare func(path string) error) (Store, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if opener := openers[schemeOf(outputURL)]; opener != nil {
		parsed, err := url.Parse(outputURL)
		if err != nil {
			return nil, &URLError{Err: errors.New("malformed URL: write spaces and other odd characters as %20 and the like")}
		}
		return opener(ctx, parsed)
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

// URLError means that a URL itself is invalid, as opposed to a failure of the
// store that it names.
type URLError struct{ Err error }

func (e *URLError) Error() string { return "OUTPUT_URL: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *URLError) Unwrap() error { return e.Err }

// folder returns OUTPUT_URL as an absolute path. Its errors don't quote the URL,
// which may contain credentials of a bucket.
func folder(outputURL string) (string, error) {
	if outputURL == "" {
		return "", errors.New("empty: name a folder, such as ./videos")
	}
	if strings.ContainsRune(outputURL, 0) {
		return "", errors.New("it contains a zero byte")
	}
	switch schemeOf(outputURL) {
	case "":
		return filepath.Abs(outputURL)
	case "file":
		return fileURLPath(outputURL)
	default:
		return "", fmt.Errorf("it names a kind of store that does not exist: it can be a folder or a URL that begins with %s", schemes())
	}
}

// Folder returns the absolute path of an output that is a folder.
func Folder(outputURL string) (path string, ok bool) {
	if !IsLocal(outputURL) {
		return "", false
	}
	path, err := folder(outputURL)
	return path, err == nil
}

// schemeOf is the scheme of a URL in lower case, empty for a path.
func schemeOf(outputURL string) string {
	lower := strings.ToLower(outputURL)
	if scheme, _, isURL := strings.Cut(lower, "://"); isURL {
		return scheme
	}
	if strings.HasPrefix(lower, "file:") {
		return "file"
	}
	return ""
}

// schemes lists the URL schemes that Open accepts.
func schemes() string {
	known := append(slices.Collect(maps.Keys(openers)), "file")
	slices.Sort(known)
	return strings.Join(known, "://, ") + "://"
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
