//go:build !unix

package devserver

// trusted is true: the folder for temporary files is the user's own here.
func trusted(string) bool { return true }
