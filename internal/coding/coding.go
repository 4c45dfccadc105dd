// Package coding removes the content coding of an HTTP body. The bytes decide, since
// servers send codings that were not requested, and labels without a coding: object
// stores repeat the Content-Encoding of the uploader, such as "aws-chunked".
package coding

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

const (
	// bufferSize is also the most that a caller can peek at.
	bufferSize = 4 << 10
	// sampleSize and sampleLimit bound the test for deflate without a header, in
	// bytes of its input and its output.
	sampleSize, sampleLimit = 512, 64 << 10
)

// NewReader returns a body without its gzip or deflate coding, and the name of the
// coding, empty if the body has none. It reads the first bytes of the body, at most
// 512, before it returns. A body that begins like gzip is decoded under any
// Content-Encoding; deflate, which has no clear beginning, only under its own. Every
// other Content-Encoding is ignored.
//
// A decoded body may be a thousand times as long as the body: the caller bounds it.
// The size of the buffer that can be peeked at is 4 KiB.
func NewReader(body io.Reader, header http.Header) (decoded *bufio.Reader, name string, err error) {
	buffered := bufio.NewReaderSize(body, bufferSize)
	// The error of a short body comes again with its end.
	head, _ := buffered.Peek(len(gzipMagic))
	switch {
	case bytes.Equal(head, gzipMagic):
		first, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, "gzip", fmt.Errorf("the gzip header: %w", err)
		}
		first.Multistream(false)
		return bufio.NewReaderSize(&members{current: first, rest: buffered}, bufferSize), "gzip", nil
	case !Labelled(header, "deflate"):
		return buffered, "", nil
	case isZlib(head):
		stream, err := zlib.NewReader(buffered)
		if err != nil {
			return nil, "deflate", fmt.Errorf("the deflate header: %w", err)
		}
		return bufio.NewReaderSize(stream, bufferSize), "deflate", nil
	}
	// RFC 9110 defines deflate with the header of zlib; some servers omit it.
	if sample, _ := buffered.Peek(sampleSize); isDeflate(sample) {
		return bufio.NewReaderSize(flate.NewReader(buffered), bufferSize), "deflate", nil
	}
	return buffered, "", nil
}

// Labelled reports whether the Content-Encoding names one of the given codings.
func Labelled(header http.Header, names ...string) bool {
	for _, value := range header.Values("Content-Encoding") {
		for coding := range strings.SplitSeq(value, ",") {
			for _, name := range names {
				if strings.EqualFold(strings.TrimSpace(coding), name) {
					return true
				}
			}
		}
	}
	return false
}

// Corrupt reports whether an error of a decoded body is about its bytes and not about
// the connection.
func Corrupt(err error) bool {
	var corrupt flate.CorruptInputError
	return errors.As(err, &corrupt) || errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) ||
		errors.Is(err, zlib.ErrHeader) || errors.Is(err, zlib.ErrChecksum) || errors.Is(err, zlib.ErrDictionary)
}

var gzipMagic = []byte{0x1f, 0x8b, 8}

func isZlib(head []byte) bool {
	return len(head) >= 2 && head[0]&0x0f == 8 && head[0]>>4 <= 7 && (int(head[0])<<8|int(head[1]))%31 == 0
}

// isDeflate reports whether bytes are the start of a deflate stream, or all of it.
func isDeflate(sample []byte) bool {
	input := bytes.NewReader(sample)
	output, err := io.Copy(io.Discard, io.LimitReader(flate.NewReader(input), sampleLimit))
	if err != nil {
		return output > 0 && errors.Is(err, io.ErrUnexpectedEOF)
	}
	return output == sampleLimit || output > 0 && input.Len() == 0
}

// members reads the members of a gzip body. Other bytes behind a member are no part of
// it.
type members struct {
	current *gzip.Reader
	rest    *bufio.Reader
}

func (m *members) Read(into []byte) (int, error) {
	n, err := m.current.Read(into)
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	if head, _ := m.rest.Peek(len(gzipMagic)); !bytes.Equal(head, gzipMagic) {
		return n, io.EOF
	}
	if err := m.current.Reset(m.rest); err != nil {
		return n, err
	}
	m.current.Multistream(false)
	return n, nil
}
