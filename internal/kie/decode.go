package kie

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxTaskID bounds, in bytes, a task id. kie.ai documents no format; ids seen
// have 32 to 41 characters.
const maxTaskID = 256

// object is a JSON object whose fields are read one by one, so that one that is
// odd spoils no other. Its methods take the spellings of a field in order of
// preference.
type object map[string]json.RawMessage

var errNoObject = errors.New("it is no JSON object")

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

// text returns the first spelling that holds a string or a number and is not
// empty.
func (o object) text(spellings ...string) string {
	for _, spelling := range spellings {
		if text := asText(o[spelling]); text != "" {
			return text
		}
	}
	return ""
}

// child returns the first spelling that holds an object or a string with one in
// it: kie.ai's families disagree.
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

// integer returns a whole number, written as a number or as a string.
func (o object) integer(spelling string) (int, bool) {
	number, err := strconv.ParseFloat(strings.TrimSpace(asText(o[spelling])), 64)
	if err != nil || number != math.Trunc(number) || math.Abs(number) > math.MaxInt32 {
		return 0, false
	}
	return int(number), true
}

// taskID returns the first spelling that holds a usable task id.
func (o object) taskID(spellings ...string) string {
	for _, spelling := range spellings {
		if id := asText(o[spelling]); usableTaskID(id) {
			return id
		}
	}
	return ""
}

func usableTaskID(id string) bool {
	return strings.TrimSpace(id) != "" && len(id) <= maxTaskID &&
		!strings.ContainsFunc(id, func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError })
}

// time reads what kie.ai's families call a time: milliseconds or seconds since
// 1970, "2025-06-06 10:30:00" or RFC 3339. A time without a zone is taken as
// UTC, which is not documented. Anything else is the zero time.
func (o object) time(spelling string) time.Time {
	text := strings.TrimSpace(asText(o[spelling]))
	at := time.Time{}
	if number, err := strconv.ParseFloat(text, 64); err == nil {
		const year5138 = 1e11 // seconds; a millisecond count this small is from 1973
		switch {
		case number <= 0 || number >= 1e15:
		case number < year5138:
			at = time.Unix(int64(number), 0)
		default:
			at = time.UnixMilli(int64(number))
		}
	} else {
		for _, layout := range []string{time.RFC3339, time.DateTime, "2006-01-02T15:04:05"} {
			if parsed, err := time.Parse(layout, text); err == nil {
				at = parsed
				break
			}
		}
	}
	if at.Year() < 1970 || at.Year() > 9999 {
		return time.Time{}
	}
	return at.UTC()
}

// asText returns a JSON string or the literal of a number; anything else is
// empty.
func asText(raw json.RawMessage) string {
	if len(raw) == 0 {
		return ""
	}
	switch c := raw[0]; {
	case c == '"':
		var text string
		if json.Unmarshal(raw, &text) != nil {
			return ""
		}
		return text
	case c == '-' || c >= '0' && c <= '9':
		return string(raw)
	default:
		return ""
	}
}
