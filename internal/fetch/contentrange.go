package fetch

import (
	"errors"
	"regexp"
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

// contentRangeForm matches "bytes 0-99/1000", "bytes 0-99/*" and "bytes */1000".
var contentRangeForm = regexp.MustCompile(`(?i)^\s*bytes \s*(?:([0-9]+)-([0-9]+)|\*)/([0-9]+|\*)\s*$`)

func parseContentRange(header string) (contentRange, error) {
	found := contentRangeForm.FindStringSubmatch(header)
	if found == nil {
		return contentRange{}, errContentRange
	}
	parsed := contentRange{first: -1, last: -1, total: -1}
	for i, field := range []*int64{&parsed.first, &parsed.last, &parsed.total} {
		digits := found[i+1]
		if digits == "" || digits == "*" {
			continue
		}
		// 62 bits and a sign leave room to add one to any offset.
		offset, err := strconv.ParseInt(digits, 10, 63)
		if err != nil {
			return contentRange{}, errContentRange
		}
		*field = offset
	}
	if max(parsed.first, parsed.total) < 0 || parsed.first > parsed.last || parsed.total >= 0 && parsed.last >= parsed.total {
		return contentRange{}, errContentRange
	}
	return parsed, nil
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
