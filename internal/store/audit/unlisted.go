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

// explainUnlisted says of files that no receipt listed what they are.
func (a *audit) explainUnlisted(ctx context.Context, names []string) error {
	return each(ctx, a.options.Parallel, slices.Values(names), a.explain)
}

// explain looks for the receipt of an unlisted file once more: a video is stored
// before its receipt is.
func (a *audit) explain(ctx context.Context, name string) error {
	why, awaited := "no receipt lists it", false
	if expected, ours := store.ReceiptNameOf(name); ours {
		receipt, err := a.shelf.Receipt(ctx, expected)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, fs.ErrNotExist):
			why, awaited = "there is no "+expected, true
		case err != nil:
			why = "its receipt " + expected + " can't be read"
		default:
			if late, lists := claimOf(receipt, expected, name); lists {
				listed, err := a.verify(ctx, name, []claim{late})
				if listed || err != nil {
					return err
				}
			}
			why, awaited = expected+" doesn't list it", true
		}
	}
	age, err := a.age(ctx, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		a.note(Finding{Kind: Vanished, File: name, Detail: "it has gone while the audit ran; " + why})
	case err != nil:
		return a.failed(ctx, Finding{Kind: Unlisted, File: name, Detail: why + "; "}, err)
	case awaited && age.Abs() < a.options.Grace:
		a.note(Finding{Kind: Pending, File: name, Detail: "stored " + max(age, 0).Truncate(time.Second).String() + " ago, its receipt may still come"})
	default:
		a.problem(Finding{Kind: Unlisted, File: name, Detail: why})
	}
	return nil
}

// age is how long a file has been there: for ever if the store can't tell.
func (a *audit) age(ctx context.Context, name string) (time.Duration, error) {
	file, err := a.shelf.Open(ctx, name)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	if dated, ok := file.(interface{ ModTime() time.Time }); ok {
		return time.Since(dated.ModTime()), nil
	}
	return math.MaxInt64, nil
}
