//go:build !linux

package webhook

// dropProgram does nothing where it is not known how.
func dropProgram() {}
