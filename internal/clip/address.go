package clip

import (
	"net/url"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"lumaflow/internal/command"
)

var (
	// scheme has two letters at least: the C of C:\films is a drive.
	scheme = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]+):`)
	// onDrive is the path of a file URL on Windows.
	onDrive = regexp.MustCompile(`^/[A-Za-z]:`)
)

// Local tells a file on this machine, given as a path or a file:// URL, from an
// address. Its errors are usage errors; they do not repeat what was given, which
// may carry a signature.
func Local(video string) (path string, local bool, err error) {
	name := ""
	if found := scheme.FindStringSubmatch(video); found != nil {
		name = strings.ToLower(found[1])
	}
	switch {
	case name == "http" || name == "https":
		return "", false, nil
	case name == "file":
		path, err := filePath(video)
		return path, true, err
	case name != "" && strings.HasPrefix(video[len(name)+1:], "//"):
		return "", false, command.Usagef("neither an http or https URL nor a file on this machine")
	default:
		return video, true, nil
	}
}

func filePath(address string) (string, error) {
	parsed, err := url.Parse(address)
	switch {
	case err != nil || parsed.Opaque != "" || parsed.Path == "" || parsed.RawQuery != "" || parsed.Fragment != "":
		return "", command.Usagef("no proper file URL: write file:///folder/clip.mp4, or the path alone")
	case parsed.Host != "" && parsed.Host != "localhost":
		return "", command.Usagef("a file URL of another machine: give a file on this one")
	}
	path := parsed.Path
	if runtime.GOOS == "windows" && onDrive.MatchString(path) {
		path = path[1:]
	}
	return filepath.FromSlash(path), nil
}
