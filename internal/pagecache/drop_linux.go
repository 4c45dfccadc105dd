// Package pagecache has a file read from the disk instead of the page cache. After a
// failed write the page cache of Linux still holds the bytes, and no later fsync reports
// the loss.
package pagecache

import (
	"os"

	"golang.org/x/sys/unix"
)

// Drop removes the clean pages of a file from the page cache, so that they are read from
// the disk. Dirty pages stay; an fsync reports if they can't be written. It is advice to
// the kernel: a file system without a disk, such as tmpfs, ignores it.
func Drop(file *os.File) {
	_ = unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_DONTNEED)
}
