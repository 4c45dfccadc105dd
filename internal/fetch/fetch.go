// Package fetch downloads one URL into one verified local file. It resumes the
// partial file of an earlier attempt, also of a process that was killed, hashes
// the bytes that it writes, accepts only an MP4 or MOV (an AVI on request) with a picture and all of its samples,
// and dials only addresses of the public internet, directly or through the proxy of the environment.
package fetch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"time"

	"lumaflow/internal/media"
	"lumaflow/internal/proxy"
	"lumaflow/internal/weburl"
)

const (
	defaultStallTimeout = 30 * time.Second
	// defaultMaxBytes is far above the size of ten seconds of video.
	defaultMaxBytes = 4 << 30
	// abandonedAfter is the age at which an unfinished work file is removed.
	// kie.ai documents that it keeps results for 14 days, so no link can complete
	// an older one.
	abandonedAfter = 15 * 24 * time.Hour
)

// Options are the settings of a Fetcher. WorkDir is required.
type Options struct {
	// WorkDir holds the partial files. It is created if it does not exist.
	// Processes that share it resume each other's downloads. On a network file
	// system this requires working locks; without them every attempt starts from
	// the first byte.
	WorkDir string
	// AllowPrivate also admits http links and addresses that are not public,
	// except link-local ones. It is for development.
	AllowPrivate bool
	// AllowHosts limits links to these host names and their subdomains, compared in
	// the form that is dialled, and to these IP addresses. An element may be a
	// comma-separated list. Empty means any host.
	AllowHosts []string
	// UserAgent is sent with every request. Empty means Go's default.
	UserAgent string
	// StallTimeout fails an attempt that receives no data for this long; 0 means
	// 30 s. An attempt that receives data slowly is bounded by the caller's
	// context alone.
	StallTimeout time.Duration
	// MaxBytes bounds the size of a file; 0 means 4 GiB.
	MaxBytes int64
	// Logger records resumed and restarted downloads; nil discards.
	Logger *slog.Logger
}

// Fetcher downloads files. It is safe for concurrent use.
type Fetcher struct {
	options Options
	// transport connects directly.
	transport *http.Transport
	proxies   proxy.Settings
	// lookup resolves the names that a proxy connects to.
	lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// New checks the options, proves that the work directory can be written and
// removes work files from it that are older than 15 days. Errors are for the operator:
// a missing or unwritable work directory, a malformed host in AllowHosts, a malformed
// proxy in the environment, a negative StallTimeout or MaxBytes.
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
	proxies, err := proxy.FromEnvironment()
	if err != nil {
		return nil, err
	}
	options.StallTimeout = cmp.Or(options.StallTimeout, defaultStallTimeout)
	options.MaxBytes = cmp.Or(options.MaxBytes, defaultMaxBytes)
	options.Logger = cmp.Or(options.Logger, slog.New(slog.DiscardHandler))
	if err := prepareWorkDir(options.WorkDir, time.Now().Add(-abandonedAfter)); err != nil {
		return nil, fmt.Errorf("work directory %s: %w: set WORK_DIR to a folder that this user can write and that has room", options.WorkDir, err)
	}
	return &Fetcher{
		options:   options,
		transport: newTransport(options),
		proxies:   proxies,
		lookup:    net.DefaultResolver.LookupNetIP,
	}, nil
}

// WorkDir is the absolute path of the work directory.
func (f *Fetcher) WorkDir() string { return f.options.WorkDir }

// Request names one file to fetch.
type Request struct {
	URL string
	// Key identifies the bytes independently of the link. Attempts with the same
	// key resume each other's partial file.
	Key string
	// Progress, if not nil, receives the number of bytes present and the total,
	// -1 if the total is not known. It is called between reads, so it must return
	// quickly. It also counts the bytes of an earlier attempt while they are
	// hashed again, and returns to 0 when the download restarts.
	Progress func(done, total int64)
	// AVI also accepts an AVI: kie.ai takes them as sources.
	AVI bool
}

// Fetch downloads and verifies one file. An attempt that fails leaves its bytes
// to the next one with the same key, if they have a strong ETag. While another
// attempt with the same key runs, in this process or another, Fetch does not wait:
// it downloads to a private file. A complete file of an earlier attempt is
// downloaded again unless the server confirms its ETag and length. After a failed
// fsync no byte is kept: the next attempt begins a new file.
//
// Errors are of type *Error. They wrap the context's error if the context ended
// the attempt.
func (f *Fetcher) Fetch(ctx context.Context, request Request) (*File, error) {
	link, err := weburl.Parse(request.URL)
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
	attempt := download{fetcher: f, link: link, progress: request.Progress, avi: request.AVI}
	work, err := openPartial(f.options.WorkDir, request.Key)
	if err != nil {
		return nil, attempt.fail(Disk, 0, err)
	}
	attempt.work = work
	video, err := attempt.run(ctx)
	if err != nil {
		_ = work.close()
		return nil, err
	}
	return &File{
		Path:   filepath.Join(f.options.WorkDir, work.name),
		Bytes:  work.size,
		SHA256: work.sum(),
		ETag:   attempt.etag,
		Host:   link.Host,
		Video:  video,
		work:   work,
	}, nil
}

// File is a verified file in the work directory, durable on disk (fsync). It holds
// a lock until Discard or Close, so that no other attempt writes to it. It may be
// renamed while the lock is held.
type File struct {
	Path  string
	Bytes int64
	// SHA256 is the hash of the content in lower-case hexadecimal.
	SHA256 string
	// ETag is the one that the server sent, empty if it sent none.
	ETag string
	// Host is the host of the link, with its port if it has one.
	Host  string
	Video media.Video

	work *partial
}

// Discard removes the work file, unless it has been renamed, and releases the
// lock. Call it when the file has been published.
func (f *File) Discard() error {
	if f.work == nil {
		return nil
	}
	err := f.work.remove()
	return cmp.Or(err, f.Close())
}

// Close releases the lock and leaves the file for a later attempt with the same
// key. The checkpoint of a file that a store has moved or removed is removed. It does
// nothing after Discard.
func (f *File) Close() error {
	if f.work == nil {
		return nil
	}
	work := f.work
	f.work = nil
	return work.close()
}
