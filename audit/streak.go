package audit

import (
	"context"
	"sync/atomic"
)

// suspicious is how many failures in a row make it likely that not the files but
// the store is the matter: an unplugged disk, expired credentials.
const suspicious = 20

// streak counts failures in a row.
type streak struct{ length atomic.Int64 }

func (s *streak) ended() { s.length.Store(0) }

// failed asks a store that has failed many times in a row whether it is still
// there. The error is that it is not.
func (s *streak) failed(ctx context.Context, shelf Shelf) error {
	if s.length.Add(1)%suspicious != 0 {
		return nil
	}
	for _, err := range shelf.List(ctx) {
		return err
	}
	return nil
}
