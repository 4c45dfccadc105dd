package lean

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// dropProgram gives back the pages of the program that went by on the way here.
// All roles are one program and each runs little of it, yet what was touched once
// stays resident, and its neighbours with it: three quarters of what a waiting
// process holds. A page that is needed again is mapped again, so nothing
// can go wrong but the saving.
func dropProgram() {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return
	}
	for line := range strings.Lines(string(maps)) {
		// An address range, permissions, and at the end the file.
		fields := strings.Fields(line)
		if len(fields) < 6 || fields[5] != program || strings.Contains(fields[1], "w") {
			continue
		}
		first, end, _ := strings.Cut(fields[0], "-")
		from, errFrom := strconv.ParseUint(first, 16, strconv.IntSize)
		to, errTo := strconv.ParseUint(end, 16, strconv.IntSize)
		if errFrom == nil && errTo == nil && from < to {
			// Private, never written and backed by the file: dropped pages come back
			// as they were.
			_, _, _ = unix.Syscall(unix.SYS_MADVISE, uintptr(from), uintptr(to-from), unix.MADV_DONTNEED)
		}
	}
}
