package activities

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"lumaflow/internal/manifest"
	"lumaflow/internal/paid/runs"
	"lumaflow/internal/store"
	"lumaflow/internal/temporal/codec"
)

// ManifestChanged means that a manifest is not the one that was checked.
const ManifestChanged = "ManifestChanged"

// BatchOptions are the dependencies of the activities of batches. All are required
// but ManifestDirs and WorkDir.
type BatchOptions struct {
	// Runs reads the jobs, whose ends Payloads decode.
	Runs     runs.Reader
	Payloads codec.Converters
	Store    store.Store
	// Format reads the jobs of a manifest.
	Format manifest.Format
	// ManifestDirs are the folders whose manifests may be read beside those of the store:
	// absolute paths.
	ManifestDirs []string
	// WorkDir is the folder of temporary files; empty means the system's.
	WorkDir string
}

// Batches holds the dependencies of the activities of batches. Its exported methods
// are the activities. They start nothing and pay nothing.
type Batches struct {
	options BatchOptions
}

// NewBatches returns the activities of batches.
func NewBatches(options BatchOptions) (*Batches, error) {
	if options.Runs.Server == nil || options.Runs.Data == nil || options.Payloads.Failures == nil || options.Store == nil || options.Format.Parse == nil {
		return nil, errors.New("the activities of batches need a reader of runs, a store and a format")
	}
	return &Batches{options}, nil
}

// Batch identifies a batch and its manifest.
type Batch struct {
	// ID is the workflow id of the batch.
	ID string `json:"id"`
	// Manifest is the location of the manifest, or the name of a file in the store.
	Manifest string `json:"manifest"`
	// SHA256 is the hash of the manifest that was checked; empty before.
	SHA256 string `json:"sha256,omitempty"`
}

// read passes the jobs of the manifest to yield until that returns false. The error
// is an application error.
func (b *Batches) read(ctx context.Context, batch Batch, yield func(manifest.Order) bool) (manifest.Summary, error) {
	return b.readFrom(ctx, batch, 0, yield)
}

// readFrom is read without the jobs before an index, from 0, which are not parsed.
func (b *Batches) readFrom(ctx context.Context, batch Batch, index int, yield func(manifest.Order) bool) (manifest.Summary, error) {
	var none manifest.Summary
	file, err := b.open(ctx, batch.Manifest)
	_, invalid := errors.AsType[*store.URLError](err)
	switch {
	case errors.Is(err, fs.ErrNotExist) && batch.SHA256 == "":
		return none, permanent(InvalidRequest, "there is no manifest "+batch.Manifest+" that this worker may read: give the name of a file in OUTPUT_URL, an object of a bucket, or a file in a folder of MANIFEST_DIRS", nil)
	case invalid:
		return none, permanent(InvalidRequest, "the manifest "+batch.Manifest+" can't be opened", err)
	case errors.Is(err, fs.ErrNotExist):
		return none, permanent(ManifestChanged, "there is no manifest "+batch.Manifest+" where this worker reads it: it was stored elsewhere, or it is gone", nil)
	case err != nil:
		return none, retryable(StorageUnavailable, "open the manifest "+batch.Manifest, err, 0)
	}
	defer file.Close()
	summary, err := b.options.Format.ReadFrom(index, store.ContextReader{Context: ctx, From: file}, manifest.IsCSV(nameOf(batch.Manifest)), yield)
	_, wrong := errors.AsType[*manifest.Problems](err)
	switch {
	case (wrong || errors.Is(err, manifest.ErrTooLarge)) && batch.SHA256 == "":
		return none, invalidManifest(batch, err)
	case err != nil && !wrong && !errors.Is(err, manifest.ErrTooLarge):
		return none, retryable(StorageUnavailable, "read the manifest "+batch.Manifest, err, 0)
	case batch.SHA256 != "" && summary.SHA256 != batch.SHA256:
		return none, permanent(ManifestChanged, "the manifest "+batch.Manifest+" has changed since it was checked: it has SHA-256 "+summary.SHA256+" instead of "+batch.SHA256, nil)
	case err != nil:
		// The lines of a checked manifest are valid for the worker that checked it.
		return none, permanent(ManifestChanged, "this worker rejects the manifest "+batch.Manifest+" that another one has checked", err)
	default:
		return summary, nil
	}
}

// open opens a location, or a file of the store.
func (b *Batches) open(ctx context.Context, location string) (io.ReadCloser, error) {
	if store.CheckName(location) == nil && !strings.Contains(location, ":") {
		return b.options.Store.Open(ctx, location)
	}
	if store.IsLocal(location) {
		return store.OpenLocal(location, b.options.ManifestDirs)
	}
	return store.OpenFile(ctx, location)
}

// nameOf is a location without the parameters of a URL.
func nameOf(location string) string {
	if strings.Contains(location, "://") {
		location, _, _ = strings.Cut(location, "?")
	}
	return location
}

// invalidManifest lists the first lines that can't be used.
func invalidManifest(batch Batch, err error) error {
	problems, ok := errors.AsType[*manifest.Problems](err)
	if !ok {
		return permanent(InvalidRequest, "the manifest "+batch.Manifest+" can't be used", err)
	}
	var lines []string
	for _, problem := range problems.First {
		lines = append(lines, fmt.Sprintf("line %d: %s", problem.Line, problem.Text))
	}
	text := fmt.Sprintf("%d lines of the manifest %s can't be used; nothing is started: %s", problems.Count, batch.Manifest, strings.Join(lines, "; "))
	return permanent(InvalidRequest, text, nil, problems)
}

// ManifestInput names a manifest or holds its items.
type ManifestInput struct {
	Batch Batch `json:"batch"`
	// Items are stored as the manifest, if there are any.
	Items []byte `json:"items,omitempty"`
}

// CheckedManifest is a manifest all of whose lines can be used.
type CheckedManifest struct {
	Manifest   string `json:"manifest"`
	SHA256     string `json:"sha256"`
	Lines      int    `json:"lines"`
	Duplicates int    `json:"duplicates"`
}

// manifestKind is the kind of the file with the inline items of a batch.
const manifestKind = "manifest.jsonl"

// CheckManifest reads a whole manifest once. Inline items are stored first. Its error
// InvalidRequest names the lines that can't be used.
func (b *Batches) CheckManifest(ctx context.Context, input ManifestInput) (CheckedManifest, error) {
	return withHeartbeat(ctx, nil, func(ctx context.Context) (CheckedManifest, error) {
		batch := input.Batch
		if len(input.Items) > 0 {
			batch.Manifest = store.BatchFileName(batch.ID, manifestKind)
			if _, err := b.publish(ctx, batch.Manifest, func(to io.Writer) error {
				_, err := to.Write(input.Items)
				return err
			}); err != nil {
				return CheckedManifest{}, retryable(StorageUnavailable, "store the items of the batch", err, 0)
			}
		}
		summary, err := b.read(ctx, batch, func(manifest.Order) bool { return true })
		if err != nil {
			return CheckedManifest{}, err
		}
		if summary.Lines == 0 {
			return CheckedManifest{}, permanent(InvalidRequest, "the manifest "+batch.Manifest+" holds no job", nil)
		}
		return CheckedManifest{Manifest: batch.Manifest, SHA256: summary.SHA256, Lines: summary.Lines, Duplicates: summary.Duplicates}, nil
	})
}

// requestTimeout bounds one request to Temporal about a job.
const requestTimeout = 15 * time.Second
