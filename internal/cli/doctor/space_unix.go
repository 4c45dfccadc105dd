//go:build darwin || dragonfly || freebsd || linux

package doctor

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// freeSpace is the number of bytes that this user can still write to the disk of a
// folder.
func freeSpace(folder string) (uint64, error) {
	var disk unix.Statfs_t
	if err := unix.Statfs(folder, &disk); err != nil {
		return 0, fmt.Errorf("read the free space: %w", err)
	}
	// Within the reserve of root some systems report a negative number.
	return uint64(max(0, int64(disk.Bavail))) * uint64(disk.Bsize), nil //nolint:gosec // the type of Bavail depends on the system
}
