//go:build darwin || dragonfly || freebsd || linux

package doctor

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// freeSpace is how many bytes this user can still write to the disk that a
// folder is on.
func freeSpace(folder string) (uint64, error) {
	var disk unix.Statfs_t
	if err := unix.Statfs(folder, &disk); err != nil {
		return 0, fmt.Errorf("ask for free space: %w", err)
	}
	// A disk may owe its reserve, which some systems count below zero.
	return uint64(max(0, int64(disk.Bavail))) * uint64(disk.Bsize), nil
}
