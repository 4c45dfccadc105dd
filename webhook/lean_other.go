//go:build !linux

package webhook

import "runtime/debug"

// forgetStart gives back the memory that only the start has needed.
func forgetStart() { debug.FreeOSMemory() }
