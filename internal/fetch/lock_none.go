//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd)

package fetch

import "os"

// tryLock always fails on systems without flock: every attempt uses a private
// file, which is correct, but no download is resumed.
func tryLock(*os.File) bool { return false }

func unlock(*os.File) {}
