// Package weburl reads links as browsers and other clients do. Characters that may
// not stand in a URL are encoded, and the host gets the form that is resolved and
// dialled. Everything else of the path and the query stays byte for byte, since a
// signature may cover it.
package weburl

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxLength bounds a link, in bytes, before and after it is encoded.
const MaxLength = 16 << 10

var errTooLong = errors.New("the link is longer than " + strconv.Itoa(MaxLength>>10) + " KiB")

// schemeForm matches the scheme at the start of an absolute reference.
var schemeForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:`)

// Parse returns an absolute URL of any scheme. Its host is the name that is dialled,
// and its fragment is dropped. Errors name the link as Describe does.
func Parse(text string) (*url.URL, error) {
	encoded, err := Encode(text)
	if err != nil {
		return nil, err
	}
	parsed, err := url.Parse(encoded)
	if err != nil || parsed.Host == "" {
		return nil, fmt.Errorf("the link %s is not an absolute URL", Describe(text))
	}
	return parsed, nil
}

// Resolve returns the URL of a reference, such as the target of a redirect, relative
// to base.
func Resolve(base *url.URL, reference string) (*url.URL, error) {
	reference = trim(reference)
	switch {
	case reference == "":
		return nil, errors.New("the link is empty")
	case len(reference) > MaxLength:
		return nil, errTooLong
	case schemeForm.MatchString(reference):
		return Parse(reference)
	case strings.HasPrefix(reference, "//"):
		return Parse(base.Scheme + ":" + reference)
	}
	resolved, err := base.Parse(encodeRest(reference))
	if err != nil {
		return nil, fmt.Errorf("the link %s is not a relative URL", Describe(reference))
	}
	return resolved, nil
}

// Encode returns the text of an absolute URL with every character encoded that may
// not stand there, in ASCII. An encoded URL is returned unchanged.
func Encode(text string) (string, error) {
	if len(text) > MaxLength {
		return "", errTooLong
	}
	scheme, authority, rest, ok := split(trim(text))
	if !ok || authority == "" {
		return "", fmt.Errorf("the link %s is not an absolute URL", Describe(text))
	}
	user, place := "", authority
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		user, place = encode(authority[:at], unsafeInPath, true)+"@", authority[at+1:]
	}
	host, err := canonicalPlace(place)
	if strings.Contains(authority, `\`) {
		// Browsers end the host at a backslash, other clients the user name.
		err = errHost
	}
	if err != nil {
		return "", fmt.Errorf("the link %s is unusable: %w", Describe(text), err)
	}
	encoded := strings.ToLower(scheme) + "://" + user + host + encodeRest(rest)
	if len(encoded) > MaxLength {
		return "", errTooLong
	}
	return encoded, nil
}

// Describe names a link in an error, quoted: its scheme and host, without the path,
// the query and the user, which may hold secrets.
func Describe(text string) string {
	text = trim(text)
	scheme, authority, rest, absolute := split(text)
	if absolute {
		scheme += "://"
	} else {
		scheme = ""
		authority, rest = cutAt(text, "/?#")
	}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		authority = authority[at+1:]
	}
	if name := scheme + authority; len(name) <= maxName {
		if rest != "" {
			name += "/…"
		}
		return strconv.Quote(name)
	}
	name := (scheme + authority)[:maxName]
	for !utf8.ValidString(name) && len(name) > maxName-utf8.UTFMax {
		name = name[:len(name)-1]
	}
	return strconv.Quote(name + "…")
}

// maxName bounds, in bytes, the part of a link that Describe keeps.
const maxName = 80

// trim removes blanks and control characters at both ends.
func trim(text string) string {
	return strings.TrimFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f })
}

// split cuts an absolute URL after its scheme and after its authority.
func split(text string) (scheme, authority, rest string, ok bool) {
	found := schemeForm.FindString(text)
	after, ok := strings.CutPrefix(text[len(found):], "//")
	if found == "" || !ok {
		return "", "", "", false
	}
	authority, rest = cutAt(after, "/?#")
	return strings.TrimSuffix(found, ":"), authority, rest, true
}

// cutAt cuts before the first of the given characters.
func cutAt(text, characters string) (before, after string) {
	if at := strings.IndexAny(text, characters); at >= 0 {
		return text[:at], text[at:]
	}
	return text, ""
}

const (
	// unsafeInPath are the printable ASCII characters that RFC 3986 admits nowhere.
	unsafeInPath = "\"<>\\^`{|}"
	// unsafeInQuery are those of them that browsers encode in a query. The others
	// arrive as they are everywhere, so that a signed query may hold them.
	unsafeInQuery = `"<>`
)

// encodeRest encodes a path and query and drops the fragment.
func encodeRest(rest string) string {
	rest, _ = cutAt(rest, "#")
	path, query := cutAt(rest, "?")
	return encode(path, unsafeInPath, true) + encode(query, unsafeInQuery, false)
}

// encode escapes blanks, control characters, bytes outside of ASCII and the given
// characters, and with percents also each "%" that begins no escape.
func encode(text, characters string, percents bool) string {
	const digits = "0123456789ABCDEF"
	var encoded strings.Builder
	for i := range len(text) {
		b := text[i]
		if b <= ' ' || b >= 0x7f || strings.IndexByte(characters, b) >= 0 || percents && b == '%' && !isEscape(text[i:]) {
			encoded.Write([]byte{'%', digits[b>>4], digits[b&15]})
			continue
		}
		encoded.WriteByte(b)
	}
	return encoded.String()
}

func isEscape(text string) bool { return len(text) >= 3 && isHex(text[1]) && isHex(text[2]) }

func isHex(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'f' || b >= 'A' && b <= 'F'
}
