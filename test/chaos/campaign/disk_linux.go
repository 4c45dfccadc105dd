package campaign

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// diskSize is more than the videos of one seed need.
const diskSize = "96m"

// disk is a small file system that can be filled.
type disk struct{ path string }

// mountDisk mounts a tmpfs. It needs root or a user namespace.
func mountDisk(path string) (*disk, error) {
	if err := unix.Mount("tmpfs", path, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0700,size="+diskSize); err != nil {
		return nil, fmt.Errorf("mount a small disk at %s: %w", path, err)
	}
	return &disk{path}, nil
}

// fill allocates all free space; free releases it.
func (d *disk) fill() (free func(), err error) {
	name := filepath.Join(d.path, "ballast")
	ballast, err := os.Create(name)
	if err != nil {
		return nil, fmt.Errorf("fill the disk: %w", err)
	}
	defer ballast.Close()
	free = func() { _ = os.Remove(name) }
	// Other processes write at the same time, so the allocation is repeated until
	// no space is left.
	size := int64(0)
	for range 100 {
		var space unix.Statfs_t
		if err := unix.Fstatfs(int(ballast.Fd()), &space); err != nil {
			free()
			return nil, fmt.Errorf("fill the disk: %w", err)
		}
		left := int64(space.Bavail) * space.Bsize
		if left <= 0 {
			return free, nil
		}
		if err := unix.Fallocate(int(ballast.Fd()), 0, size, left); err != nil {
			if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EINTR) {
				continue
			}
			free()
			return nil, fmt.Errorf("fill the disk: %w", err)
		}
		size += left
	}
	free()
	return nil, errors.New("fill the disk: space is left after 100 allocations")
}

// unmountDisk does nothing if no disk is mounted at the path.
func unmountDisk(path string) { _ = unix.Unmount(path, unix.MNT_DETACH) }

// canMount reports whether this process may mount a disk.
func canMount() bool {
	folder, err := os.MkdirTemp("", "lumaflow-chaos-")
	if err != nil {
		return false
	}
	defer func() { _ = os.Remove(folder) }()
	if _, err := mountDisk(folder); err != nil {
		return false
	}
	unmountDisk(folder)
	return true
}
