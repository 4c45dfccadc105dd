package audit

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
)

// bufferSize is where larger reads stop paying: what was read is still in the
// processor's cache when it is hashed.
const bufferSize = 256 << 10

// verify holds a file against what receipts say of it. It is not listed any more
// if those receipts have gone or changed meanwhile.
func (a *audit) verify(ctx context.Context, name string, claims []claim) (listed bool, err error) {
	if len(claims) > 1 {
		a.problem(duplicate(name, claims))
	}
	found, unread := a.contentOf(ctx, name)
	var held []content
	for _, claim := range claims {
		if slices.Contains(held, claim.content) {
			continue
		}
		held = append(held, claim.content)
		stands, err := a.hold(ctx, claim, found, unread)
		if err != nil {
			return false, err
		}
		listed = listed || stands
	}
	if listed {
		a.progress(func(p *Progress) { p.Files++ })
	}
	return listed, nil
}

// hold compares what was found, or why nothing was, with one claim. The claim
// does not stand if its receipt makes it no more and none in its place.
func (a *audit) hold(ctx context.Context, claim claim, found content, unread error) (stands bool, err error) {
	if unread == nil && found == claim.content {
		return true, nil
	}
	// Somebody may have collected the task again and replaced both.
	receipt, err := a.shelf.Receipt(ctx, claim.receipt)
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case errors.Is(err, fs.ErrNotExist):
		a.note(Finding{Kind: Vanished, File: claim.receipt, Detail: "it was there when the audit began"})
		return false, nil
	case err == nil && !claim.in(receipt):
		fresh, lists := claimOf(receipt, claim.receipt, claim.file)
		if !lists {
			return false, nil
		}
		claim = fresh
		if found, unread = a.contentOf(ctx, claim.file); unread == nil && found == claim.content {
			return true, nil
		}
	}
	// A receipt that can't be read any more leaves the task out.
	finding := Finding{File: claim.file, Receipt: claim.receipt, TaskID: receipt.TaskID}
	if unread != nil {
		finding.Kind = Unreadable
		return true, a.failed(ctx, finding, unread)
	}
	a.problem(finding.differs(found, claim.content))
	return true, nil
}

// contentOf reads a file from beginning to end.
func (a *audit) contentOf(ctx context.Context, name string) (content, error) {
	file, err := a.shelf.Open(ctx, name)
	if err != nil {
		return content{}, err
	}
	defer file.Close()
	buffer, _ := a.buffers.Get().(*[bufferSize]byte)
	if buffer == nil {
		buffer = new([bufferSize]byte)
	}
	defer a.buffers.Put(buffer)
	digest := sha256.New()
	var bytes int64
	for err == nil {
		var n int
		n, err = file.Read(buffer[:])
		digest.Write(buffer[:n])
		bytes += int64(n)
		a.progress(func(p *Progress) { p.Bytes += int64(n) })
		if err == nil {
			err = ctx.Err()
		}
	}
	if err != io.EOF {
		return content{}, fmt.Errorf("read: %w", err)
	}
	return content{bytes, [sha256.Size]byte(digest.Sum(nil))}, nil
}
