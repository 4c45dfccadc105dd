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

// Kind is the kind of a finding.
type Kind string

// The problems.
const (
	// Missing is a listed file that does not exist, or a receipt that was removed
	// before it could be read.
	Missing Kind = "missing"
	// Truncated is a file that is shorter than listed, Changed one with other
	// bytes.
	Truncated Kind = "truncated"
	Changed   Kind = "changed"
	// Unlisted is a file that no receipt lists.
	Unlisted Kind = "unlisted"
	// Duplicate is a file that is listed more than once.
	Duplicate Kind = "duplicate"
	// BadReceipt is a receipt that can't be read or is invalid.
	BadReceipt Kind = "bad-receipt"
	// Unreadable is an existing file that could not be read.
	Unreadable Kind = "unreadable"
	// NotAFile is a link, a folder or a device in place of a file.
	NotAFile Kind = "not-a-file"
	// NotAVideo is a listed file with the listed bytes that is no complete video.
	NotAVideo Kind = "not-a-video"
)

// The notes, which are not problems.
const (
	// Pending is a video without a receipt that is younger than Options.Grace.
	Pending Kind = "pending"
	// Unused is the copy of a source that no receipt lists, at least as old as
	// Options.Grace: its job ended without a video, or without this copy.
	Unused Kind = "unused"
	// Folder is a folder, whose content was not read.
	Folder Kind = "folder"
	// Vanished is a file that was removed during the audit and that no receipt
	// lists any more.
	Vanished Kind = "vanished"
)

// Finding is one problem or note about a file.
type Finding struct {
	Kind Kind   `json:"kind"`
	File string `json:"file"`
	// Receipt is the receipt that lists the file, TaskID its task; both are empty
	// if none does.
	Receipt string `json:"receipt,omitempty"`
	TaskID  string `json:"taskId,omitempty"`
	// Detail describes the finding in one clause.
	Detail string `json:"detail"`
}

// differs completes the finding for a file whose content is not the listed one.
func (f Finding) differs(found, listed content) Finding {
	switch {
	case found.bytes < listed.bytes:
		f.Kind, f.Detail = Truncated, fmt.Sprintf("%d of %d bytes are there", found.bytes, listed.bytes)
	case found.bytes > listed.bytes:
		f.Kind, f.Detail = Changed, fmt.Sprintf("it has %d bytes instead of %d", found.bytes, listed.bytes)
	default:
		f.Kind, f.Detail = Changed, "its bytes are not those that were stored"
	}
	return f
}

func duplicate(file string, listings []listing) Finding {
	var receipts []string
	for _, l := range listings {
		receipts = append(receipts, l.receipt)
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

// failed reports a file or receipt that could not be read. finding has the kind
// for an unknown error and the text before its reason. The returned error means
// that the audit must end: its context has ended, or the store can't be read.
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
		if a.failures.Add(1)%checkAfter == 0 {
			if err := a.storeError(ctx); err != nil {
				return err
			}
		}
	}
	a.problem(finding)
	return nil
}

// checkAfter is the number of failures after which the audit checks whether the
// store itself can be read: a disk may be unplugged, credentials expired.
const checkAfter = 20

// storeError returns the error of listing the store.
func (a *audit) storeError(ctx context.Context) error {
	for _, err := range a.store.List(ctx) {
		return err
	}
	return nil
}

// reason is an error in one line, without the operation and the name, which the
// finding has.
func reason(err error) string {
	if detailed, ok := errors.AsType[*fs.PathError](err); ok {
		err = detailed.Err
	} else if inner := errors.Unwrap(err); inner != nil {
		err = inner
	}
	return oneline.Clean(err.Error())
}
