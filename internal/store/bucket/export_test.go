package bucket

import (
	"time"

	"lumaflow/internal/store"
)

// SetStallTimeout replaces stallTimeout for a store.
func SetStallTimeout(opened store.Store, stall time.Duration) { opened.(*bucket).stall = stall }
