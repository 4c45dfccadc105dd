package store

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"syscall"
)

// OpenFile reads the file at a location: an absolute path, a file:// URL, or the URL of
// an object, as in s3://bucket/folder/name?region=eu-central-1. The error is a
// *URLError if the location is invalid, and fs.ErrNotExist if there is no such file.
func OpenFile(ctx context.Context, location string) (io.ReadCloser, error) {
	folder, name, err := splitLocation(location)
	if err != nil {
		return nil, &URLError{Err: err}
	}
	if err := CheckName(name); err != nil {
		return nil, &URLError{Err: err}
	}
	opened, err := open(ctx, folder, func(string) error { return nil })
	if err != nil {
		return nil, err
	}
	return opened.Open(ctx, name)
}

// splitLocation separates the name of a file from the URL of its store.
func splitLocation(location string) (folder, name string, err error) {
	switch schemeOf(location) {
	case "":
		if !filepath.IsAbs(location) {
			return "", "", errors.New("it is no absolute path and no URL")
		}
		return filepath.Dir(location), filepath.Base(location), nil
	case "file":
		file, err := fileURLPath(location)
		return filepath.Dir(file), filepath.Base(file), err
	}
	object, err := url.Parse(location)
	if err != nil {
		return "", "", errors.New("malformed URL: write spaces and other odd characters as %20 and the like")
	}
	prefix, name := path.Split(object.Path)
	if name == "" {
		return "", "", errors.New("it names a folder, not a file")
	}
	object.Path, object.RawPath = "", ""
	if prefix = trimSlash(prefix); prefix != "" {
		parameters := object.Query()
		if parameters.Has("prefix") {
			return "", "", errors.New("it has both a path and a prefix: leave out one of them")
		}
		parameters.Set("prefix", prefix)
		object.RawQuery = parameters.Encode()
	}
	return object.String(), name, nil
}

// trimSlash removes the slash at the beginning of the path of a URL.
func trimSlash(folder string) string {
	if folder != "" && folder[0] == '/' {
		return folder[1:]
	}
	return folder
}

// IsLocal reports whether a location is a path or a file:// URL.
func IsLocal(location string) bool {
	scheme := schemeOf(location)
	return scheme == "" || scheme == "file"
}

// OpenLocal opens a regular file, given as a path or a file:// URL, that is inside one
// of the folders. The error of any other file is fs.ErrNotExist, whether there is one
// or not; links that leave the folder are not followed. The error is *URLError if
// location is malformed.
func OpenLocal(location string, folders []string) (io.ReadCloser, error) {
	folder, name, err := splitLocation(location)
	if err == nil {
		err = CheckName(name)
	}
	if err != nil {
		return nil, &URLError{Err: err}
	}
	for _, allowed := range folders {
		inside, err := filepath.Rel(allowed, filepath.Join(folder, name))
		if err != nil || !filepath.IsLocal(inside) {
			continue
		}
		file, err := openInside(allowed, inside)
		if err == nil || !isAbsent(err) {
			return file, err
		}
	}
	return nil, fs.ErrNotExist
}

// isAbsent reports whether an error is about the file and not about its disk: a fault
// of that passes.
func isAbsent(err error) bool {
	fault, system := errors.AsType[syscall.Errno](err)
	return !system || fault.Is(fs.ErrNotExist) || fault.Is(fs.ErrPermission) || fault == syscall.ENOTDIR || fault == syscall.ELOOP
}

// openInside opens a regular file of a folder. A device or a pipe is not opened, since
// that may block.
func openInside(folder, name string) (io.ReadCloser, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, ErrNotRegular
	}
	return root.Open(name)
}
