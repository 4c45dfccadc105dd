package devserver

import (
	"testing"
	"time"
)

// SetSignOfLife makes builds say more often that they are alive.
func SetSignOfLife(t *testing.T, every time.Duration) {
	usual := signOfLife
	signOfLife = every
	t.Cleanup(func() { signOfLife = usual })
}
