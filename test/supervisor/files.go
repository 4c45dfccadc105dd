package supervisor

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// OpenFiles lists the files below a folder that a process holds open. It reads
// Linux's /proc; the list is empty elsewhere, and for a process that has ended.
func OpenFiles(pid int, below string) []string {
	folder := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	entries, _ := os.ReadDir(folder)
	var open []string
	for _, entry := range entries {
		if target, err := os.Readlink(filepath.Join(folder, entry.Name())); err == nil && strings.HasPrefix(target, below+"/") {
			open = append(open, target)
		}
	}
	return open
}
