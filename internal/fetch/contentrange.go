package fetch

import (
	"errors"
	"strconv"
	"strings"
)

var errContentRange = errors.New("malformed Content-Range")

// contentRange is the Content-Range of a 206 or 416 response.
type contentRange struct {
	// first and last are the offsets of the first and last byte of the body, both
	// -1 in a 416.
	first, last int64
	// total is the length of the whole file, -1 if it is not declared.
	total int64
}

// parseContentRange reads "bytes 0-99/1000", "bytes 0-99/*" and
// "bytes */1000".
func parseContentRange(header string) (contentRange, error) {
	unit, rest, _ := strings.Cut(strings.TrimSpace(header), " ")
	span, length, found := strings.Cut(strings.TrimSpace(rest), "/")
	if !found || !strings.EqualFold(unit, "bytes") {
		return contentRange{}, errContentRange
	}
	parsed := contentRange{first: -1, last: -1, total: -1}
	var err error
	if length != "*" {
		if parsed.total, err = parseOffset(length); err != nil {
			return contentRange{}, err
		}
	}
	if span == "*" {
		if parsed.total < 0 {
			return contentRange{}, errContentRange
		}
		return parsed, nil
	}
	first, last, _ := strings.Cut(span, "-")
	if parsed.first, err = parseOffset(first); err != nil {
		return contentRange{}, err
	}
	if parsed.last, err = parseOffset(last); err != nil {
		return contentRange{}, err
	}
	if parsed.first > parsed.last || parsed.total >= 0 && parsed.last >= parsed.total {
		return contentRange{}, errContentRange
	}
	return parsed, nil
}

func parseOffset(digits string) (int64, error) {
	// 62 bits leave room to add one to any offset.
	offset, err := strconv.ParseUint(digits, 10, 62)
	if err != nil {
		return 0, errContentRange
	}
	return int64(offset), nil
}

// entityTag returns a well-formed ETag, and whether it is a strong one. Only a
// strong ETag identifies the bytes. (RFC 9110, 8.8.1)
func entityTag(header string) (tag string, strong bool) {
	header = strings.TrimSpace(header)
	opaque, weak := strings.CutPrefix(header, "W/")
	if len(header) > 256 || len(opaque) < 2 || opaque[0] != '"' || opaque[len(opaque)-1] != '"' {
		return "", false
	}
	for _, b := range []byte(opaque[1 : len(opaque)-1]) {
		if b <= ' ' || b == '"' || b >= 0x7f {
			return "", false
		}
	}
	return header, !weak
}
