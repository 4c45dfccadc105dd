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
	// urlScheme requires two letters: the C of C:\films is a drive.
	urlScheme = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]+):`)
	// drivePath is the path of a file URL on Windows.
	drivePath = regexp.MustCompile(`^/[A-Za-z]:`)
)

// Local distinguishes a file on this machine, given as a path or a file:// URL,
// from an http or https URL. Its errors are usage errors. They do not quote the
// argument, which may carry a signature.
func Local(video string) (path string, local bool, err error) {
	scheme := ""
	if found := urlScheme.FindStringSubmatch(video); found != nil {
		scheme = strings.ToLower(found[1])
	}
	switch {
	case scheme == "http" || scheme == "https":
		return "", false, nil
	case scheme == "file":
		path, err := filePath(video)
		return path, true, err
	case scheme != "" && strings.HasPrefix(video[len(scheme)+1:], "//"):
		return "", false, command.Usagef("neither an http or https URL nor a file on this machine")
	default:
		return video, true, nil
	}
}

func filePath(address string) (string, error) {
	parsed, err := url.Parse(address)
	switch {
	case err != nil || parsed.Opaque != "" || parsed.Path == "" || parsed.RawQuery != "" || parsed.Fragment != "":
		return "", command.Usagef("not a valid file URL: write file:///folder/clip.mp4, or the path alone")
	case parsed.Host != "" && parsed.Host != "localhost":
		return "", command.Usagef("the file URL names another machine: give a file on this one")
	}
	path := parsed.Path
	if runtime.GOOS == "windows" && drivePath.MatchString(path) {
		path = path[1:]
	}
	return filepath.FromSlash(path), nil
}
