package webhook

import (
	"os"
	"runtime/debug"
)

// leanGC is how much garbage may gather, in percent of what is in use, unless
// GOGC says otherwise. A callback leaves little, so this costs next to nothing.
const leanGC = 50

// stayLean keeps a waiting webhook small: it gives back the garbage of the start
// and the pages that only the start has needed, and lets less garbage gather.
func stayLean() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(leanGC)
	}
	debug.FreeOSMemory()
	dropStart()
}
