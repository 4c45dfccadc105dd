// Package audit verifies stored files against their receipts: it reads every
// receipt, hashes every file, and reports files that are missing, changed,
// truncated or not listed. It changes nothing and needs neither Temporal nor
// kie.ai.
package audit

import (
	"cmp"
	"context"
	"io"
	"iter"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"lumaflow/internal/store"
)

// Store is the part of store.Store that an audit reads.
type Store interface {
	List(ctx context.Context) iter.Seq2[store.Entry, error]
	Open(ctx context.Context, name string) (io.ReadCloser, error)
	Receipt(ctx context.Context, name string) (store.Receipt, error)
}

// Options configures an audit.
type Options struct {
	// Parallel is the number of files read concurrently; 0 means GOMAXPROCS.
	Parallel int
	// Grace is the age from which a video without a receipt is a problem. Before
	// that its job may still be collecting the task's other videos.
	Grace time.Duration
	// Deep also inspects every listed file, as before it was stored. A store whose
	// readers are no io.ReaderAt needs room for Parallel files in the folder for
	// temporary files.
	Deep bool
	// OnProgress, if not nil, is called on every progress, from several
	// goroutines. It must not block.
	OnProgress func(Progress)
}

// Run audits a store. Files may be added and removed during the audit: each
// finding holds for the time at which its file was read. An error means that the
// audit ended early, with a report of the findings until then.
//
// Memory grows with the number of files and receipt entries, some hundred bytes
// each, plus one buffer and one receipt for each concurrent read.
func Run(ctx context.Context, s Store, options Options) (Report, error) {
	if options.Parallel <= 0 {
		options.Parallel = runtime.GOMAXPROCS(0)
	}
	a := &audit{store: s, options: options}
	err := a.run(ctx)
	return a.report(err == nil), err
}

type audit struct {
	store   Store
	options Options
	buffers sync.Pool
	// failures counts files and receipts that could not be read.
	failures atomic.Int64

	mu       sync.Mutex
	reached  Progress
	problems []Finding
	notes    []Finding
}

func (a *audit) run(ctx context.Context) error {
	receipts, files, err := a.list(ctx)
	if err != nil {
		return err
	}
	listings, err := a.readReceipts(ctx, receipts)
	if err != nil {
		return err
	}
	unlisted, err := a.verifyFiles(ctx, files, listings)
	if err != nil {
		return err
	}
	// Last, so that jobs in progress have had the most time to write receipts.
	return a.explainUnlisted(ctx, unlisted)
}

// list separates receipts from other files. It skips the content of folders, since
// no store writes there.
func (a *audit) list(ctx context.Context) (receipts []string, files []store.Entry, err error) {
	var folder string
	for entry, err := range a.store.List(ctx) {
		if err != nil {
			return nil, nil, err
		}
		switch top, _, inFolder := strings.Cut(entry.Name, "/"); {
		case inFolder && top == folder:
		case inFolder:
			folder = top
			a.note(Finding{Kind: Folder, File: top + "/", Detail: "not looked into: audit it by itself"})
		case store.IsReceiptName(entry.Name):
			receipts = append(receipts, entry.Name)
		default:
			files = append(files, entry)
		}
	}
	a.progress(func(p *Progress) { p.AllReceipts = len(receipts) })
	return receipts, files, nil
}

// verifyFiles reads every listed file and returns the unlisted files.
func (a *audit) verifyFiles(ctx context.Context, files []store.Entry, listings []listing) (unlisted []string, err error) {
	var listed int64
	for file := range merged(files, listings) {
		if len(file.listings) > 0 {
			listed += file.entry.Bytes
		}
	}
	a.progress(func(p *Progress) { p.AllBytes = listed })
	var mu sync.Mutex
	err = each(ctx, a.options.Parallel, merged(files, listings), func(ctx context.Context, file listedFile) error {
		listed := false
		if len(file.listings) > 0 {
			var err error
			if listed, err = a.verify(ctx, file.entry.Name, file.listings); err != nil {
				return err
			}
		}
		if !listed {
			mu.Lock()
			defer mu.Unlock()
			unlisted = append(unlisted, file.entry.Name)
		}
		return nil
	})
	return unlisted, err
}

// each calls work for all items, parallel at a time, and stops at the first error.
func each[T any](ctx context.Context, parallel int, items iter.Seq[T], work func(context.Context, T) error) error {
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for item := range items {
		if groupCtx.Err() != nil {
			break
		}
		group.Go(func() error { return work(groupCtx, item) })
	}
	return cmp.Or(group.Wait(), ctx.Err())
}
