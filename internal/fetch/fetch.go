// Package fetch turns one URL into one verified local file. It resumes what an
// earlier attempt left behind, in this process or in one that was killed,
// hashes what it writes, accepts nothing but a complete MP4 or MOV, and dials
// only addresses of the public internet.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"time"
)

const (
	defaultStallTimeout = 30 * time.Second
	// defaultMaxBytes is far above what ten seconds of video come to.
	defaultMaxBytes = 4 << 30
	// abandonedAfter is when a work file that nobody finished is swept away.
	// kie.ai keeps results for 14 days, so it serves no link after that.
	abandonedAfter = 15 * 24 * time.Hour
)

// Options are the settings of a Fetcher. WorkDir is required.
type Options struct {
	// WorkDir holds the partial files; it is created if need be. Processes
	// that share it go on with each other's downloads. They may share it over
	// a network if its file system has working locks.
	WorkDir string
	// AllowPrivate lets links be http and on addresses that are not public,
	// except link-local ones. It is for development.
	AllowPrivate bool
	// AllowHosts are the only host names that are asked, each with its
	// subdomains, also as a comma-separated list in one element. Empty means
	// any host.
	AllowHosts []string
	// UserAgent goes out with every request; empty means Go's own.
	UserAgent string
	// StallTimeout is how long nothing at all may arrive before an attempt is
	// given up; 0 means 30 s. A server that keeps dripping is bounded by the
	// caller's context alone.
	StallTimeout time.Duration
	// MaxBytes bounds the size of a file; 0 means 4 GiB.
	MaxBytes int64
	// Logger is told about resumed and restarted downloads; nil discards.
	Logger *slog.Logger
}

// Fetcher downloads files. It is safe for concurrent use.
type Fetcher struct {
	Options
	transport *http.Transport
}

// New checks the options, makes sure that the work directory can be written
// and removes files of ours from it that are older than 15 days.
func New(options Options) (*Fetcher, error) {
	if options.WorkDir == "" {
		return nil, errors.New("no work directory for partial downloads: set WORK_DIR")
	}
	if options.StallTimeout < 0 || options.MaxBytes < 0 {
		return nil, errors.New("fetch: negative stall timeout or size limit")
	}
	var err error
	if options.WorkDir, err = filepath.Abs(options.WorkDir); err != nil {
		return nil, fmt.Errorf("work directory: %w", err)
	}
	if options.AllowHosts, err = parseHosts(options.AllowHosts); err != nil {
		return nil, err
	}
	if options.StallTimeout == 0 {
		options.StallTimeout = defaultStallTimeout
	}
	if options.MaxBytes == 0 {
		options.MaxBytes = defaultMaxBytes
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	if err := prepareWorkDir(options.WorkDir, time.Now().Add(-abandonedAfter)); err != nil {
		return nil, fmt.Errorf("work directory %s: %w: set WORK_DIR to a folder that this user can write and that has room", options.WorkDir, err)
	}
	return &Fetcher{Options: options, transport: newTransport(options)}, nil
}

// Request asks for one file.
type Request struct {
	URL string
	// Key is the identity of the bytes, whatever link leads to them. Attempts
	// with the same key go on with each other's partial file.
	Key string
	// Progress, if not nil, is told how many bytes are here and how many there
	// will be, -1 if that is not known. It is called between reads, so it must
	// be quick. It also counts the bytes of an earlier attempt while they are
	// read back, and starts over when the download does.
	Progress func(done, total int64)
}

// Fetch downloads and verifies one file. An attempt that ends early leaves the
// bytes it got to the next one with the same key, if the server gave them a
// strong ETag. While another attempt with the same key runs, here or in
// another process, Fetch neither waits nor shares: it downloads to a file of
// its own. A file that an earlier attempt finished is downloaded again unless
// the server confirms its ETag and length.
//
// Errors are of type *Error, and wrap the context's error if that ended it.
func (f *Fetcher) Fetch(ctx context.Context, request Request) (*File, error) {
	link, err := parseLink(request.URL)
	if err != nil {
		return nil, &Error{Kind: Forbidden, Err: err}
	}
	if err := f.admit(link); err != nil {
		return nil, err
	}
	if request.Key == "" {
		return nil, &Error{Kind: Forbidden, Host: link.Host, Err: errors.New("the request has no key")}
	}
	if request.Progress == nil {
		request.Progress = func(int64, int64) {}
	}
	work, err := openPartial(f.WorkDir, request.Key)
	if err != nil {
		return nil, &Error{Kind: Disk, Host: link.Host, Err: err}
	}
	download := download{Fetcher: f, link: link, progress: request.Progress, work: work}
	video, err := download.run(ctx)
	if err != nil {
		work.close()
		return nil, err
	}
	return &File{
		Path:   filepath.Join(f.WorkDir, work.name),
		Bytes:  work.size,
		SHA256: work.sum(),
		ETag:   download.etag,
		Host:   link.Host,
		Video:  video,
		work:   work,
	}, nil
}
