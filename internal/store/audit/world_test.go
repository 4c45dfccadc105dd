package audit_test

import (
	"context"
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"lumaflow/internal/store"
	"lumaflow/internal/store/audit"
	"lumaflow/test/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var listing = storetest.Listing

const grace = 24 * time.Hour

func run(t *testing.T, s audit.Store) audit.Report {
	t.Helper()
	report, err := audit.Run(t.Context(), s, audit.Options{Parallel: 4, Grace: grace})
	require.NoError(t, err)
	require.True(t, report.Complete)
	return report
}

// bucket is a store that lists more entries.
type bucket struct {
	audit.Store
	more []store.Entry
}

func (s bucket) List(ctx context.Context) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		for _, entry := range s.more {
			if !yield(entry, nil) {
				return
			}
		}
		s.Store.List(ctx)(yield)
	}
}
