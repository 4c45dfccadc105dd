package command

import (
	"cmp"
	"runtime/debug"
	"strings"
)

// The linker sets version and revision:
// -ldflags "-X lumaflow/internal/command.version=v1.2.3 -X lumaflow/internal/command.revision=<commit>".
var version, revision string

// Version is the version set by the linker, else the revision, else "dev".
func Version() string {
	return cmp.Or(version, Revision(), "dev")
}

// Revision is the first 12 digits of the commit of this build, as set by the
// linker, else as recorded by the Go tool. It is empty if neither is present.
func Revision() string {
	const digits = 12
	if len(revision) >= digits {
		return revision[:digits]
	}
	if recorded := buildSetting("vcs.revision"); len(recorded) >= digits {
		return recorded[:digits]
	}
	return ""
}

// Modified reports whether this build contains uncommitted changes: the Go tool
// records them, and `git describe --dirty` marks them in a revision set by the
// linker.
func Modified() bool {
	if revision != "" {
		return strings.HasSuffix(revision, "-dirty")
	}
	return buildSetting("vcs.modified") == "true"
}

// buildSetting is the value that the Go tool recorded under a key.
func buildSetting(key string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key == key {
				return setting.Value
			}
		}
	}
	return ""
}

// Build is the version with the revision, for messages.
func Build() string {
	if version == "" || Revision() == "" {
		return Version()
	}
	return version + " (revision " + Revision() + ")"
}
