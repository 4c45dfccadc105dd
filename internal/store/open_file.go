package store

import (
	"context"
	"errors"
	"io"
	"net/url"
	"path"
	"path/filepath"
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
