// Package compressed holds texts in the codings of HTTP, for tests.
package compressed

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
)

// Gzip compresses each part to a gzip member of its own.
func Gzip(parts ...string) string {
	var body bytes.Buffer
	for _, part := range parts {
		write(gzip.NewWriter(&body), part)
	}
	return body.String()
}

// Zlib compresses a text to the coding that HTTP calls deflate.
func Zlib(text string) string {
	var body bytes.Buffer
	write(zlib.NewWriter(&body), text)
	return body.String()
}

// write ignores errors: a buffer returns none.
func write(writer io.WriteCloser, text string) {
	_, _ = io.WriteString(writer, text)
	_ = writer.Close()
}
