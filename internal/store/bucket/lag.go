package bucket

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// lag is the schedule of the requests for an object whose write the store does not show
// yet: at intervals that grow from first to longest, for total.
type lag struct{ first, longest, total time.Duration }

// defaultLag is for S3-compatible stores, which have been seen to answer HEAD with
// 404 for some seconds after a write. The total leaves time for the requests of an
// activity that ends after a minute.
var defaultLag = lag{first: 200 * time.Millisecond, longest: 5 * time.Second, total: 30 * time.Second}

// view is the state of an object as the store reports it.
type view struct {
	object
	exists bool
	// unreadable reports that the store shows the attributes and does not find the
	// bytes.
	unreadable bool
	// same reports that the object has the intended content.
	same bool
}

// stale reports whether the view may be older than the last write. before is the
// view before that write, nil without one.
func (v view) stale(before *view) bool {
	return !v.same && (v.unreadable || before != nil && v.exists == before.exists && v.version == before.version)
}

// lateError means that a store did not show the state after a write.
type lateError struct {
	last  view
	views int
	since time.Duration
	// interrupted is the cause if the context ended first, else nil.
	interrupted error
}

func (e *lateError) Error() string {
	seen := "answered 404 to HEAD"
	switch {
	case e.last.unreadable:
		seen = "answered 404 to GET after HEAD had found it"
	case e.last.exists:
		seen = "showed the earlier object"
	}
	text := fmt.Sprintf("it %s, %d times within %s", seen, e.views, e.since.Round(time.Millisecond))
	if e.interrupted != nil {
		text += ": " + e.interrupted.Error()
	}
	return text
}

func (e *lateError) Unwrap() error { return e.interrupted }

// put compares and writes until the object has the content. While a
// store still shows the state before a write, put requests it again and writes nothing.
func (b *bucket) put(ctx context.Context, key string, content *content) error {
	var before *view
	var accepted, waited, differed bool
	for writes := 0; ; writes++ {
		patience := b.lag.total
		if waited && !accepted {
			patience = 0
		}
		shown, err := b.settle(ctx, key, content, before, patience)
		late, isLate := errors.AsType[*lateError](err)
		switch {
		case isLate && accepted:
			return fmt.Errorf("the store accepted the object and may have it, but %w; the next attempt looks for it before it writes", late)
		case isLate && (waited || late.interrupted != nil):
			return fmt.Errorf("another write came first or has not ended, but %w; the next attempt looks for the object before it writes", late)
		case err != nil && !isLate, shown.same:
			return err
		case writes == maxAttempts:
			return fmt.Errorf("the object differs after %d writes: another program writes it too, or the store damages it", writes)
		}
		waited = waited || isLate
		// Other bytes after a write are damage and no lag, also if the version is the one
		// from before: an S3 version is the hash of the content, so that the same damage
		// has the same version.
		differed = differed || accepted
		err = b.write(ctx, key, content, shown.version)
		if err != nil && !errors.Is(err, errConflict) {
			return err
		}
		accepted = err == nil
		if before = &shown; differed {
			before = nil
		}
	}
}

// settle views an object until the view is not stale, for at most patience. After
// that the error is a *lateError.
func (b *bucket) settle(ctx context.Context, key string, content *content, before *view, patience time.Duration) (view, error) {
	began := time.Now()
	pause := b.lag.first
	for views := 1; ; views++ {
		shown, err := b.view(ctx, key, content)
		if err != nil || !shown.stale(before) {
			return shown, err
		}
		late := &lateError{last: shown, views: views, since: time.Since(began)}
		if late.since+pause > patience {
			return shown, late
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			late.interrupted = context.Cause(ctx)
			return shown, late
		}
		pause = min(2*pause, b.lag.longest)
	}
}

// view compares an object with the intended content.
func (b *bucket) view(ctx context.Context, key string, content *content) (view, error) {
	found, err := b.head(ctx, key)
	if missing(err) {
		return view{}, nil
	}
	shown := view{object: found, exists: true}
	if err == nil {
		shown.same, err = b.holds(ctx, key, found, content)
	}
	if missing(err) {
		shown.unreadable, err = true, nil
	}
	return shown, err
}
