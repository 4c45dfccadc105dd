package audit

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"slices"
	"time"

	"lumaflow/internal/store"
)

// explainUnlisted reports the files that no receipt listed.
func (a *audit) explainUnlisted(ctx context.Context, names []string) error {
	return each(ctx, a.options.Parallel, slices.Values(names), a.explain)
}

// explain reads the receipt of an unlisted file again, since a video is stored
// before its receipt.
func (a *audit) explain(ctx context.Context, name string) error {
	detail, awaited := "no receipt lists it", false
	if expected, ours := store.ReceiptNameOf(name); ours {
		receipt, err := a.store.Receipt(ctx, expected)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, fs.ErrNotExist):
			detail, awaited = "there is no "+expected, true
		case err != nil:
			detail = "its receipt " + expected + " can't be read"
		default:
			if late, lists := listingOf(receipt, expected, name); lists {
				listed, err := a.verify(ctx, name, []listing{late})
				if listed || err != nil {
					return err
				}
			}
			detail, awaited = expected+" doesn't list it", true
		}
	}
	age, err := a.age(ctx, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		a.note(Finding{Kind: Vanished, File: name, Detail: "it has gone while the audit ran; " + detail})
	case err != nil:
		return a.failed(ctx, Finding{Kind: Unlisted, File: name, Detail: detail + "; "}, err)
	case awaited && age.Abs() < a.options.Grace:
		a.note(Finding{Kind: Pending, File: name, Detail: "stored " + max(age, 0).Truncate(time.Second).String() + " ago, its receipt may still come"})
	case awaited && store.IsSourceName(name):
		a.note(Finding{Kind: Unused, File: name, Detail: detail + ": its job stored no video, or not this copy of its source"})
	default:
		a.problem(Finding{Kind: Unlisted, File: name, Detail: detail})
	}
	return nil
}

// age is the time since the last write of a file, and the maximum if the store does
// not keep it.
func (a *audit) age(ctx context.Context, name string) (time.Duration, error) {
	file, err := a.store.Open(ctx, name)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	if dated, ok := file.(interface{ ModTime() time.Time }); ok {
		return time.Since(dated.ModTime()), nil
	}
	return math.MaxInt64, nil
}
