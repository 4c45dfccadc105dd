package devserver

import (
	"testing"
	"time"
)

// SetProgressInterval sets the period of progress lines for a test.
func SetProgressInterval(t *testing.T, every time.Duration) {
	previous := progressInterval
	progressInterval = every
	t.Cleanup(func() { progressInterval = previous })
}
