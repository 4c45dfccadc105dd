package fetch

import (
	"errors"
	"fmt"
	"os"
)

var errBusy = errors.New("another attempt holds the file")

// openLocked opens a file for one attempt alone, or returns errBusy. The lock
// goes with the process, however that ends.
func openLocked(dir *os.Root, name string) (*os.File, error) {
	// Whoever held the lock until now may have renamed or removed the file
	// between our opening and locking it; then the lock is on a file that has
	// left the folder, and the next round finds what is there instead.
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
		file.Close()
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
