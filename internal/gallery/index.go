package gallery

import (
	"cmp"
	"context"
	"errors"
	"hash/maphash"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"lumaflow/internal/oneline"
	"lumaflow/internal/store"
)

const (
	// parallel is the number of receipts that are read at a time.
	parallel = 16
	// publishEvery is the number of receipts after which a long first reading shows
	// its results so far.
	publishEvery = 1000
	// retryAfter is the time after which a receipt that can't be used is read again.
	retryAfter = time.Minute
	// maxChoices bounds the models and batches that a filter offers.
	maxChoices = 200
)

// index keeps the results of all receipts of a store in memory, about 1 kB each. A
// receipt is read again when its size or its time changes.
type index struct {
	store   Store
	current atomic.Pointer[snapshot]

	// changed is closed and replaced after each refresh.
	changed chan struct{}
	waiting sync.Mutex
	// wanted requests a refresh; idle means that one is due at once.
	wanted     chan struct{}
	idle       atomic.Bool
	refreshing sync.Mutex
	receipts   map[string]reading
	listing    uint64
	seed       maphash.Seed
}

// reading is the content of one receipt.
type reading struct {
	entry   store.Entry
	results []Result
	problem string
	// retry is the time from which a receipt with a problem is read again: a failure
	// of the store may pass.
	retry time.Time
}

// snapshot is the state of a store at one time. It does not change.
type snapshot struct {
	// revision increases with every change.
	revision int64
	// results are in the order of the sheet: newest first.
	results []*Result
	byName  map[string]*Result
	// sources are the names of the stored sources.
	sources map[string]bool
	// models and batches are the distinct values, in order.
	models, batches []string
	// problems are the receipts that can't be used.
	problems []Problem
	// unread is the number of receipts that are still to be read.
	unread int
	// failure is the error of the last listing, empty if it succeeded.
	failure string
}

// Problem is a receipt that can't be used.
type Problem struct{ Receipt, Reason string }

func newIndex(from Store) *index {
	x := &index{store: from, receipts: map[string]reading{}, changed: make(chan struct{}), wanted: make(chan struct{}, 1), seed: maphash.MakeSeed()}
	x.current.Store(&snapshot{unread: -1})
	return x
}

func (x *index) announce() {
	x.waiting.Lock()
	defer x.waiting.Unlock()
	close(x.changed)
	x.changed = make(chan struct{})
}

// refresh lists the store and reads the receipts that are new. Its error is that of
// the list, which the pages show.
func (x *index) refresh(ctx context.Context) error {
	x.refreshing.Lock()
	defer x.refreshing.Unlock()
	defer x.announce()
	files := map[string]store.Entry{}
	var unread []string
	sum := uint64(0)
	for entry, err := range x.store.List(ctx) {
		if err != nil {
			if ctx.Err() == nil {
				x.fail(err)
			}
			return err
		}
		files[entry.Name] = entry
		sum += maphash.Comparable(x.seed, entry)
		if store.IsReceiptName(entry.Name) {
			if known, ok := x.receipts[entry.Name]; !ok || known.entry != entry || known.problem != "" && time.Now().After(known.retry) {
				unread = append(unread, entry.Name)
			}
		}
	}
	if len(unread) == 0 && sum == x.listing && x.current.Load().failure == "" && x.current.Load().unread == 0 {
		return nil
	}
	maps.DeleteFunc(x.receipts, func(name string, _ reading) bool { _, listed := files[name]; return !listed })
	for part := range slices.Chunk(unread, publishEvery) {
		if err := x.read(ctx, part, files); err != nil {
			return err
		}
		unread = unread[len(part):]
		x.publish(files, len(unread))
	}
	x.listing = sum
	x.publish(files, 0)
	return nil
}

// read reads receipts.
func (x *index) read(ctx context.Context, names []string, files map[string]store.Entry) error {
	read := make([]reading, len(names))
	group := new(errgroup.Group)
	group.SetLimit(parallel)
	for i, name := range names {
		group.Go(func() error {
			read[i] = reading{entry: files[name]}
			receipt, err := x.store.Receipt(ctx, name)
			switch {
			case err == nil:
				read[i].results = resultsOf(name, receipt)
			case errors.Is(err, fs.ErrNotExist):
				// Deleted after the listing.
			default:
				read[i].problem, read[i].retry = reason(err), time.Now().Add(retryAfter)
			}
			return nil
		})
	}
	_ = group.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	for i, name := range names {
		x.receipts[name] = read[i]
	}
	return nil
}

// reason is the innermost text of an error about a receipt, which names no path.
func reason(err error) string {
	text := err.Error()
	if _, after, found := strings.Cut(text, ": "); found {
		text = after
	}
	return oneline.Truncate(text, 300)
}

// fail keeps the results and adds the error of a listing.
func (x *index) fail(err error) {
	before := x.current.Load()
	failure := oneline.Truncate(err.Error(), 300)
	if before.failure == failure {
		return
	}
	after := *before
	after.failure = failure
	after.revision++
	after.unread = max(after.unread, 0)
	x.current.Store(&after)
}

// publish makes a snapshot of the receipts that have been read.
func (x *index) publish(files map[string]store.Entry, unread int) {
	next := &snapshot{
		revision: x.current.Load().revision + 1,
		byName:   map[string]*Result{},
		sources:  map[string]bool{},
		unread:   unread,
	}
	for name, read := range x.receipts {
		if read.problem != "" {
			next.problems = append(next.problems, Problem{name, read.problem})
		}
		for _, result := range read.results {
			if file, listed := files[result.Name]; !listed || file.Bytes != result.Bytes {
				result.Gone = true
			}
			if result.Source != "" {
				if _, listed := files[result.Source]; listed {
					next.sources[result.Source] = true
				} else {
					result.Source, result.NoSource = "", "The copy of the source is gone from the store: "+result.Source
				}
			}
			next.results = append(next.results, &result)
		}
	}
	slices.SortFunc(next.results, newestFirst)
	slices.SortFunc(next.problems, func(a, b Problem) int { return strings.Compare(a.Receipt, b.Receipt) })
	// Of two receipts that list the same file the newer one counts.
	next.results = slices.DeleteFunc(next.results, func(result *Result) bool {
		if next.byName[result.Name] != nil {
			return true
		}
		next.byName[result.Name] = result
		return false
	})
	next.models = distinct(next.results, func(r *Result) string { return r.Model })
	next.batches = distinct(next.results, func(r *Result) string { return r.Batch })
	x.current.Store(next)
}

func newestFirst(a, b *Result) int {
	return cmp.Or(b.Completed.Compare(a.Completed), strings.Compare(a.Name, b.Name))
}

// distinct returns the values of the newest results, in alphabetical order.
func distinct(results []*Result, value func(*Result) string) []string {
	found := map[string]bool{}
	for _, result := range results {
		if text := value(result); text != "" && len(found) < maxChoices {
			found[text] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// sameSource yields the other results of the same source, newest first.
func (s *snapshot) sameSource(of *Result) iter.Seq[*Result] {
	return func(yield func(*Result) bool) {
		for _, other := range s.results {
			if other != of && of.sameSource(other) && !yield(other) {
				return
			}
		}
	}
}

// watch refreshes on demand, at most once in each interval, until ctx ends.
func (x *index) watch(ctx context.Context, interval time.Duration) {
	for {
		_ = x.refresh(ctx)
		select {
		case <-time.After(interval):
		case <-ctx.Done():
			return
		}
		x.idle.Store(true)
		select {
		case <-x.wanted:
			x.idle.Store(false)
		case <-ctx.Done():
			return
		}
	}
}

// fresh requests a refresh and returns the state. If a refresh is due it waits for
// its end, up to limit.
func (x *index) fresh(ctx context.Context, limit time.Duration) *snapshot {
	if x.idle.Load() {
		return x.next(ctx, limit)
	}
	x.want()
	return x.current.Load()
}

// next requests a refresh and returns the state after the next one, or after limit.
func (x *index) next(ctx context.Context, limit time.Duration) *snapshot {
	x.waiting.Lock()
	changed := x.changed
	x.waiting.Unlock()
	x.want()
	select {
	case <-changed:
	case <-time.After(limit):
	case <-ctx.Done():
	}
	return x.current.Load()
}

func (x *index) want() {
	select {
	case x.wanted <- struct{}{}:
	default:
	}
}
