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

// bufferSize fits the processor's cache, so that the hash reads from the cache. A
// larger buffer is not faster.
const bufferSize = 256 << 10

// verify checks a file against its listings. listed is false if all their receipts
// were removed or changed during the audit.
func (a *audit) verify(ctx context.Context, name string, listings []listing) (listed bool, err error) {
	if len(listings) > 1 {
		a.problem(duplicate(name, listings))
	}
	found, readErr := a.contentOf(ctx, name)
	var checked []content
	for _, l := range listings {
		if slices.Contains(checked, l.content) {
			continue
		}
		checked = append(checked, l.content)
		current, err := a.check(ctx, l, found, readErr)
		if err != nil {
			return false, err
		}
		listed = listed || current
	}
	if listed {
		a.progress(func(p *Progress) { p.Files++ })
	}
	return listed, nil
}

// check compares the content of a file, or the error of reading it, with one
// listing. current is false if the receipt does not list the file any more.
func (a *audit) check(ctx context.Context, l listing, found reading, readErr error) (current bool, err error) {
	if readErr == nil && found.content == l.content {
		a.reportFault(ctx, l, found.fault)
		return true, nil
	}
	// The task may have been collected again, which replaces file and receipt.
	receipt, err := a.store.Receipt(ctx, l.receipt)
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case errors.Is(err, fs.ErrNotExist):
		a.note(Finding{Kind: Vanished, File: l.receipt, Detail: "it was there when the audit began"})
		return false, nil
	case err == nil && !l.in(receipt):
		fresh, lists := listingOf(receipt, l.receipt, l.file)
		if !lists {
			return false, nil
		}
		l = fresh
		if found, readErr = a.contentOf(ctx, l.file); readErr == nil && found.content == l.content {
			a.reportFault(ctx, l, found.fault)
			return true, nil
		}
	}
	// The task is empty if the receipt can't be read any more.
	finding := Finding{File: l.file, Receipt: l.receipt, TaskID: receipt.TaskID}
	if readErr != nil {
		finding.Kind = Unreadable
		return true, a.failed(ctx, finding, readErr)
	}
	a.problem(finding.differs(found.content, l.content))
	return true, nil
}

// contentOf reads a file from beginning to end.
func (a *audit) contentOf(ctx context.Context, name string) (reading, error) {
	file, err := a.store.Open(ctx, name)
	if err != nil {
		return reading{}, err
	}
	defer file.Close()
	inspection, err := a.inspection(file)
	if err != nil {
		return reading{}, err
	}
	defer inspection.close()
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
		if writeErr := inspection.write(buffer[:n]); writeErr != nil {
			return reading{}, writeErr
		}
		bytes += int64(n)
		a.progress(func(p *Progress) { p.Bytes += int64(n) })
		if err == nil {
			err = ctx.Err()
		}
	}
	if err != io.EOF {
		return reading{}, fmt.Errorf("read: %w", err)
	}
	fault, err := inspection.fault(bytes)
	return reading{content{bytes, [sha256.Size]byte(digest.Sum(nil))}, fault}, err
}
