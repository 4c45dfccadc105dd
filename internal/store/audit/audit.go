// Package audit holds what is stored against its receipts: it reads every
// receipt, hashes every file again, and names what is missing, changed,
// truncated or in no receipt. It changes nothing, and needs neither Temporal nor
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

// Shelf is what an audit reads. store.Store is one.
type Shelf interface {
	List(ctx context.Context) iter.Seq2[store.Entry, error]
	Open(ctx context.Context, name string) (io.ReadCloser, error)
	Receipt(ctx context.Context, name string) (store.Receipt, error)
}

// Options are how an audit goes about it.
type Options struct {
	// Parallel is how many files are read at a time; 0 means one for each
	// processor.
	Parallel int
	// Grace is how old a video without a receipt is before it is a problem: its
	// job may still be collecting the task's other videos.
	Grace time.Duration
	// Tell, if it is not nil, is told how far the audit is, by several
	// goroutines. It must be quick.
	Tell func(Progress)
}

// Run audits a shelf. Files may come and go meanwhile: what is reported was so
// when it was looked at. An error means that the audit ended early; the report
// is then of what it has found until then.
//
// Memory holds the names of all files and what the receipts say of them, some
// hundred bytes for each, and one buffer for each file that is being read. Of
// receipts no more are held than are read at a time.
func Run(ctx context.Context, shelf Shelf, options Options) (Report, error) {
	if options.Parallel <= 0 {
		options.Parallel = runtime.GOMAXPROCS(0)
	}
	a := &audit{shelf: shelf, options: options}
	err := a.run(ctx)
	return a.report(err == nil), err
}

type audit struct {
	shelf   Shelf
	options Options
	buffers sync.Pool
	// failures counts what could not be read.
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
	claims, err := a.readReceipts(ctx, receipts)
	if err != nil {
		return err
	}
	unlisted, err := a.verifyFiles(ctx, files, claims)
	if err != nil {
		return err
	}
	// Last of all, when receipts that were on their way have had the most time.
	return a.explainUnlisted(ctx, unlisted)
}

// list tells receipts from other files. The content of folders is nobody's: no
// store puts anything there.
func (a *audit) list(ctx context.Context) (receipts []string, files []store.Entry, err error) {
	var folder string
	for entry, err := range a.shelf.List(ctx) {
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

// verifyFiles reads every file that a receipt lists. It returns the files that
// none lists.
func (a *audit) verifyFiles(ctx context.Context, files []store.Entry, claims []claim) (unlisted []string, err error) {
	var listed int64
	for file := range merged(files, claims) {
		if len(file.claims) > 0 {
			listed += file.Bytes
		}
	}
	a.progress(func(p *Progress) { p.AllBytes = listed })
	var mu sync.Mutex
	err = each(ctx, a.options.Parallel, merged(files, claims), func(ctx context.Context, file claimed) error {
		listed := false
		if len(file.claims) > 0 {
			var err error
			if listed, err = a.verify(ctx, file.Name, file.claims); err != nil {
				return err
			}
		}
		if !listed {
			mu.Lock()
			defer mu.Unlock()
			unlisted = append(unlisted, file.Name)
		}
		return nil
	})
	return unlisted, err
}

// each does the work for all items, several at a time, and stops at the first
// error.
func each[T any](ctx context.Context, parallel int, items iter.Seq[T], work func(context.Context, T) error) error {
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for item := range items {
		if working.Err() != nil {
			break
		}
		group.Go(func() error { return work(working, item) })
	}
	return cmp.Or(group.Wait(), ctx.Err())
}
