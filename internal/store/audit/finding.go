package audit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"lumaflow/internal/oneline"
	"lumaflow/internal/store"
)

// Kind is what an audit has to say about a file.
type Kind string

// The problems.
const (
	// Missing is a file that a receipt lists and that is not there, or a receipt
	// that went before it could be read.
	Missing Kind = "missing"
	// Truncated is a file that is shorter than its receipt says, Changed one that
	// has other bytes.
	Truncated Kind = "truncated"
	Changed   Kind = "changed"
	// Unlisted is a file that no receipt lists.
	Unlisted Kind = "unlisted"
	// Duplicate is a file that is listed more than once.
	Duplicate Kind = "duplicate"
	// BadReceipt is a receipt that can't be read or is none.
	BadReceipt Kind = "bad-receipt"
	// Unreadable is a file that is there but could not be read.
	Unreadable Kind = "unreadable"
	// NotAFile is a link, a folder or a device in the place of a file. It is not
	// followed.
	NotAFile Kind = "not-a-file"
)

// The notes, which are no problems.
const (
	// Pending is a young video without a receipt.
	Pending Kind = "pending"
	// Folder is a folder; what is in it was not looked at.
	Folder Kind = "folder"
	// Vanished is what was there when the audit began and has gone, without a
	// receipt that misses it.
	Vanished Kind = "vanished"
)

// Finding is one thing that an audit has to say.
type Finding struct {
	Kind Kind   `json:"kind"`
	File string `json:"file"`
	// Receipt is the receipt that lists the file, TaskID its task; both are empty
	// if none does.
	Receipt string `json:"receipt,omitempty"`
	TaskID  string `json:"taskId,omitempty"`
	// Detail is half a sentence for people.
	Detail string `json:"detail"`
}

// differs says how a file is not what its receipt says.
func (f Finding) differs(found, claimed content) Finding {
	switch {
	case found.bytes < claimed.bytes:
		f.Kind, f.Detail = Truncated, fmt.Sprintf("%d of %d bytes are there", found.bytes, claimed.bytes)
	case found.bytes > claimed.bytes:
		f.Kind, f.Detail = Changed, fmt.Sprintf("it has %d bytes instead of %d", found.bytes, claimed.bytes)
	default:
		f.Kind, f.Detail = Changed, "its bytes are not those that were stored"
	}
	return f
}

func duplicate(file string, claims []claim) Finding {
	var receipts []string
	for _, claim := range claims {
		receipts = append(receipts, claim.receipt)
	}
	receipts = slices.Compact(receipts)
	finding := Finding{Kind: Duplicate, File: file, Receipt: receipts[0]}
	switch n := len(receipts); n {
	case 1:
		finding.Detail = receipts[0] + " lists it more than once"
	case 2:
		finding.Detail = receipts[0] + " and " + receipts[1] + " list it"
	default:
		finding.Detail = fmt.Sprintf("%s, %s and %d more list it", receipts[0], receipts[1], n-2)
	}
	return finding
}

// failed reports what could not be read. The finding has the kind for an error
// that tells nothing more, and what comes before its reason. If not this one file
// was the matter and the audit can't go on, the result is why.
func (a *audit) failed(ctx context.Context, finding Finding, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, fs.ErrNotExist):
		finding.Kind, finding.Detail = Missing, "it was there when the audit began"
		if finding.Receipt != "" {
			finding.Detail = finding.Receipt + " lists it"
		}
	case errors.Is(err, store.ErrNotRegular):
		finding.Kind, finding.Detail = NotAFile, "it is not followed: "+store.ErrNotRegular.Error()
	default:
		finding.Detail += reason(err)
		if a.failures.Add(1)%suspicious == 0 {
			if err := a.gone(ctx); err != nil {
				return err
			}
		}
	}
	a.problem(finding)
	return nil
}

// suspicious is after how many failures, again and again, it is worth asking
// whether not the files but the store is the matter: an unplugged disk, expired
// credentials.
const suspicious = 20

// gone returns why the store can't be read at all, if it can't.
func (a *audit) gone(ctx context.Context) error {
	for _, err := range a.shelf.List(ctx) {
		return err
	}
	return nil
}

// reason is an error in one line, without the operation and the name, which the
// finding tells.
func reason(err error) string {
	var detailed *fs.PathError
	if errors.As(err, &detailed) {
		err = detailed.Err
	} else if inner := errors.Unwrap(err); inner != nil {
		err = inner
	}
	return oneline.Clean(err.Error())
}
