//go:build !linux

package lean

// dropProgram does nothing where it is not known how.
func dropProgram() {}
