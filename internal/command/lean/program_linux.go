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
	mapped, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return
	}
	var addresses string
	for line := range strings.Lines(string(mapped)) {
		// An address range, permissions, and at the end the file; then what the
		// kernel counts in that range, a line each.
		fields := strings.Fields(line)
		switch {
		case len(fields) > 1 && !strings.HasSuffix(fields[0], ":"):
			addresses = ""
			if len(fields) >= 6 && fields[5] == program && !strings.Contains(fields[1], "w") {
				addresses = fields[0]
			}
		case addresses != "" && len(fields) > 1 && fields[0] == "Anonymous:" && fields[1] == "0":
			drop(addresses)
		}
	}
}

// drop gives back a range that is private, backed by the file and was never
// written, so that its pages come back as they were. One that can't be written any
// more is not enough: in a position-independent program the addresses in it have
// been put right before.
func drop(addresses string) {
	first, end, _ := strings.Cut(addresses, "-")
	from, errFrom := strconv.ParseUint(first, 16, strconv.IntSize)
	to, errTo := strconv.ParseUint(end, 16, strconv.IntSize)
	if errFrom == nil && errTo == nil && from < to {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, uintptr(from), uintptr(to-from), unix.MADV_DONTNEED)
	}
}
