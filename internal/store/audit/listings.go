package audit

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"slices"
	"sync"

	"lumaflow/internal/store"
)

// content identifies the bytes of a file.
type content struct {
	bytes int64
	sum   [sha256.Size]byte
}

// listing is one entry of a receipt.
type listing struct {
	file, receipt string
	content       content
}

// readReceipts returns the listings of all receipts, sorted by file.
func (a *audit) readReceipts(ctx context.Context, names []string) ([]listing, error) {
	var mu sync.Mutex
	var listings []listing
	err := each(ctx, a.options.Parallel, slices.Values(names), func(ctx context.Context, name string) error {
		receipt, err := a.store.Receipt(ctx, name)
		if err != nil {
			return a.failed(ctx, Finding{Kind: BadReceipt, File: name, Detail: "it can't be read: "}, err)
		}
		mu.Lock()
		for _, file := range receipt.Listed() {
			listings = append(listings, newListing(name, file))
		}
		mu.Unlock()
		a.progress(func(p *Progress) { p.Receipts++ })
		return nil
	})
	slices.SortFunc(listings, func(x, y listing) int {
		return cmp.Or(cmp.Compare(x.file, y.file), cmp.Compare(x.receipt, y.receipt))
	})
	return listings, err
}

func newListing(receipt string, file store.ReceiptFile) listing {
	l := listing{file: file.Name, receipt: receipt, content: content{bytes: file.Bytes}}
	// The store validates the SHA-256 of a receipt.
	_, _ = hex.Decode(l.content.sum[:], []byte(file.SHA256))
	return l
}

// in reports whether a receipt has the listing.
func (l listing) in(receipt store.Receipt) bool {
	return slices.ContainsFunc(receipt.Listed(), func(file store.ReceiptFile) bool { return newListing(l.receipt, file) == l })
}

// listingOf returns the first listing of a file in a receipt.
func listingOf(receipt store.Receipt, receiptName, file string) (listing, bool) {
	all := receipt.Listed()
	i := slices.IndexFunc(all, func(listed store.ReceiptFile) bool { return listed.Name == file })
	if i < 0 {
		return listing{}, false
	}
	return newListing(receiptName, all[i]), true
}

// listedFile is a file with its listings. A listed file may not exist.
type listedFile struct {
	entry    store.Entry
	listings []listing
}

// merged joins files and listings, both sorted by file name.
func merged(files []store.Entry, listings []listing) iter.Seq[listedFile] {
	return func(yield func(listedFile) bool) {
		for len(files) > 0 || len(listings) > 0 {
			var next listedFile
			if len(listings) == 0 || len(files) > 0 && files[0].Name <= listings[0].file {
				next.entry, files = files[0], files[1:]
			} else {
				next.entry.Name = listings[0].file
			}
			n := 0
			for n < len(listings) && listings[n].file == next.entry.Name {
				n++
			}
			next.listings, listings = listings[:n], listings[n:]
			if !yield(next) {
				return
			}
		}
	}
}
