package command

import (
	"runtime/debug"
	"strings"
)

// version and revision are stamped by the linker:
// -ldflags "-X lumaflow/internal/command.version=v1.2.3 -X lumaflow/internal/command.revision=<commit>".
var version, revision string

// Version names this build: the stamped version, else the revision it was built
// from, else "dev".
func Version() string {
	switch {
	case version != "":
		return version
	case Revision() != "":
		return Revision()
	default:
		return "dev"
	}
}

// Revision is the commit this build was made from, in 12 digits: the stamped
// one, else what the Go tool noted. It is empty if neither is known.
func Revision() string {
	const digits = 12
	if len(revision) >= digits {
		return revision[:digits]
	}
	if noted := noted("vcs.revision"); len(noted) >= digits {
		return noted[:digits]
	}
	return ""
}

// Modified reports whether there were changes that were not committed when this
// build was made: its revision is then not all that it was made from. The Go tool
// notes it, and of a stamped revision `git describe --dirty` tells it.
func Modified() bool {
	if revision != "" {
		return strings.HasSuffix(revision, "-dirty")
	}
	return noted("vcs.modified") == "true"
}

// noted is what the Go tool wrote into this build under a key.
func noted(key string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key == key {
				return setting.Value
			}
		}
	}
	return ""
}

// Build names this build for people: its version, and the revision behind it
// where the version does not say that.
func Build() string {
	if version == "" || Revision() == "" {
		return Version()
	}
	return version + " (revision " + Revision() + ")"
}
