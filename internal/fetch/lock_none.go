//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd)

package fetch

import "os"

// tryLock never succeeds where there is no flock: every attempt works on a
// file of its own, which is right, but nothing is resumed.
func tryLock(*os.File) bool { return false }

func unlock(*os.File) {}
