package command

import "runtime/debug"

// version is stamped by the linker: -ldflags "-X lumaflow/command.version=v1.2.3".
var version string

// Version names this build: the stamped version, else the revision it was built
// from, else "dev".
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" && len(setting.Value) >= 12 {
				return setting.Value[:12]
			}
		}
	}
	return "dev"
}
