package bucket

import (
	"time"

	"lumaflow/internal/store"
)

// GiveUpAfter has a store give up transfers that stand still for less than they
// usually may.
func GiveUpAfter(opened store.Store, stall time.Duration) { opened.(*bucket).stall = stall }
