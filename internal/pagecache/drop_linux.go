// Package pagecache makes the reads of a file those of the disk. After a failed write
// the page cache of Linux still holds the bytes, and no later fsync reports the loss.
package pagecache

import (
	"os"

	"golang.org/x/sys/unix"
)

// Drop removes the pages of a file that the kernel takes for written, so that they are
// read from the disk. Unwritten ones stay; an fsync reports if they can't be written.
// It is advice: a file system that has no disk, such as tmpfs, ignores it.
func Drop(file *os.File) {
	_ = unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_DONTNEED)
}
