package command

import "runtime/debug"

// version and revision are stamped by the linker:
// -ldflags "-X lumaflow/command.version=v1.2.3 -X lumaflow/command.revision=<commit>".
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

// Modified reports whether the Go tool noted changes that were not committed
// when it made this build: its revision is then not all that it was made from.
func Modified() bool { return revision == "" && noted("vcs.modified") == "true" }

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
