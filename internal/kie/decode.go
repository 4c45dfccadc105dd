package kie

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// maxTaskID bounds, in bytes, a task id. kie.ai documents no format; observed
// ids have 32 to 41 characters.
const maxTaskID = 256

// object is a JSON object whose members are decoded one by one, so that a member
// of an unexpected type does not affect the others. Its methods take the
// spellings of a member in order of preference.
type object map[string]json.RawMessage

var errNoObject = errors.New("not a JSON object")

// fromUTF16 converts a text that begins with a byte order mark of UTF-16.
func fromUTF16(text []byte) []byte {
	var order binary.ByteOrder = binary.BigEndian
	switch {
	case bytes.HasPrefix(text, []byte{0xff, 0xfe}):
		order = binary.LittleEndian
	case !bytes.HasPrefix(text, []byte{0xfe, 0xff}):
		return text
	}
	units := make([]uint16, len(text)/2)
	for i := range units {
		units[i] = order.Uint16(text[2*i:])
	}
	return []byte(string(utf16.Decode(units)))
}

func parseObject(raw []byte) (object, error) {
	raw = bytes.TrimSpace(bytes.TrimPrefix(raw, []byte("\ufeff")))
	if len(raw) == 0 || raw[0] != '{' {
		return nil, errNoObject
	}
	var fields object
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, errNoObject
	}
	return fields, nil
}

// text returns the first spelling whose value is a non-empty string or a number.
func (o object) text(spellings ...string) string {
	for _, spelling := range spellings {
		if text := asText(o[spelling]); text != "" {
			return text
		}
	}
	return ""
}

// child returns the first spelling whose value is an object, or a string that
// holds an object: kie.ai's families differ.
func (o object) child(spellings ...string) object {
	for _, spelling := range spellings {
		raw := []byte(o[spelling])
		if len(raw) > 0 && raw[0] == '"' {
			raw = []byte(asText(raw))
		}
		if fields, err := parseObject(raw); err == nil {
			return fields
		}
	}
	return nil
}

// integer returns an integer that is written as a number or as a string.
func (o object) integer(spelling string) (int, bool) {
	number, err := strconv.ParseFloat(strings.TrimSpace(asText(o[spelling])), 64)
	if err != nil || number != math.Trunc(number) || math.Abs(number) > math.MaxInt32 {
		return 0, false
	}
	return int(number), true
}

func validTaskID(id string) bool {
	return strings.TrimSpace(id) != "" && len(id) <= maxTaskID &&
		!strings.ContainsFunc(id, func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError })
}

// time decodes the time formats of kie.ai's families: milliseconds or seconds
// since 1970, "2025-06-06 10:30:00" and RFC 3339. A time without a zone is taken
// as UTC; kie.ai documents no zone. Any other value is the zero time.
func (o object) time(spelling string) time.Time {
	text := strings.TrimSpace(asText(o[spelling]))
	var at time.Time
	number, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil:
		for _, layout := range []string{time.RFC3339, time.DateTime, "2006-01-02T15:04:05"} {
			if at, err = time.Parse(layout, text); err == nil {
				break
			}
		}
	// 1e11 s is the year 5138, 1e11 ms is 1973.
	case number > 0 && number < 1e11:
		at = time.Unix(int64(number), 0)
	case number >= 1e11 && number < 1e15:
		at = time.UnixMilli(int64(number))
	}
	if at.Year() < 1970 || at.Year() > 9999 {
		return time.Time{}
	}
	return at.UTC()
}

// asText returns the value of a JSON string or the literal of a number; any other
// value is empty.
func asText(raw json.RawMessage) string {
	var text string
	if len(raw) > 0 && (raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9') {
		return string(raw)
	}
	if json.Unmarshal(raw, &text) != nil {
		return ""
	}
	return text
}
