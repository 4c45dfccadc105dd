package fetch

import (
	"errors"
	"fmt"
	"os"
)

var errBusy = errors.New("another attempt holds the file")

// openLocked opens a file with an advisory lock for one attempt alone, or returns
// errBusy. The kernel releases the lock when the process ends.
//
// The lock is on the work file itself, so that it survives a rename and leaves no
// lock file behind. A lock library does not fit: it opens the file by its path,
// outside the os.Root, and its locks on Windows also exclude the writes of this
// process.
func openLocked(dir *os.Root, name string) (*os.File, error) {
	// The previous holder may rename or remove the file between the open and the
	// lock. The lock is then on a file without this name, and the next round opens
	// the current one.
	for range 10 {
		file, err := dir.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		present, err := lockPresent(dir, file, name)
		if present {
			return file, nil
		}
		unlock(file)
		_ = file.Close()
		if err != nil {
			return nil, err
		}
	}
	return nil, errBusy
}

// lockPresent locks file and reports whether it still has its name.
func lockPresent(dir *os.Root, file *os.File, name string) (bool, error) {
	opened, err := file.Stat()
	if err != nil {
		return false, err
	}
	if !opened.Mode().IsRegular() {
		return false, fmt.Errorf("%s in the work directory is not a regular file", name)
	}
	if !tryLock(file) {
		return false, errBusy
	}
	found, err := dir.Lstat(name)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return os.SameFile(opened, found), nil
}
