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

// content is what tells one file's bytes from another's.
type content struct {
	bytes int64
	sum   [sha256.Size]byte
}

// claim is what a receipt says of a file.
type claim struct {
	file, receipt string
	content       content
}

// readReceipts returns what all receipts say, sorted by file.
func (a *audit) readReceipts(ctx context.Context, names []string) ([]claim, error) {
	var mu sync.Mutex
	var claims []claim
	err := each(ctx, a.options.Parallel, slices.Values(names), func(ctx context.Context, name string) error {
		receipt, err := a.shelf.Receipt(ctx, name)
		if err != nil {
			return a.failed(ctx, Finding{Kind: BadReceipt, File: name, Detail: "it can't be read: "}, err)
		}
		mu.Lock()
		for _, file := range receipt.Files {
			claims = append(claims, newClaim(name, file))
		}
		mu.Unlock()
		a.progress(func(p *Progress) { p.Receipts++ })
		return nil
	})
	slices.SortFunc(claims, func(x, y claim) int {
		return cmp.Or(cmp.Compare(x.file, y.file), cmp.Compare(x.receipt, y.receipt))
	})
	return claims, err
}

func newClaim(receipt string, file store.ReceiptFile) claim {
	made := claim{file: file.Name, receipt: receipt, content: content{bytes: file.Bytes}}
	// The store has seen to it that this is the hexadecimal form of a sum.
	_, _ = hex.Decode(made.content.sum[:], []byte(file.SHA256))
	return made
}

// in reports whether a receipt makes the claim.
func (c claim) in(receipt store.Receipt) bool {
	return slices.ContainsFunc(receipt.Files, func(file store.ReceiptFile) bool { return newClaim(c.receipt, file) == c })
}

// claimOf is the first that a receipt says of a file, if it says anything.
func claimOf(receipt store.Receipt, receiptName, file string) (claim, bool) {
	i := slices.IndexFunc(receipt.Files, func(listed store.ReceiptFile) bool { return listed.Name == file })
	if i < 0 {
		return claim{}, false
	}
	return newClaim(receiptName, receipt.Files[i]), true
}

// claimed is a file with what the receipts say of it. It may not be there.
type claimed struct {
	store.Entry
	claims []claim
}

// merged joins files and claims, both in the order of the files' names.
func merged(files []store.Entry, claims []claim) iter.Seq[claimed] {
	return func(yield func(claimed) bool) {
		for len(files) > 0 || len(claims) > 0 {
			var next claimed
			if len(claims) == 0 || len(files) > 0 && files[0].Name <= claims[0].file {
				next.Entry, files = files[0], files[1:]
			} else {
				next.Name = claims[0].file
			}
			n := 0
			for n < len(claims) && claims[n].file == next.Name {
				n++
			}
			next.claims, claims = claims[:n], claims[n:]
			if !yield(next) {
				return
			}
		}
	}
}
