package weburl

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

var (
	errHost   = errors.New("its host is no valid name or address")
	errZone   = errors.New("its host has a zone, which is valid on one machine only")
	errNumber = errors.New("its host ends like an address and is none")
	errPort   = errors.New("its port is no number")
)

// lookup maps names as browsers do (UTS 46, not transitional). The form of the
// result is checked afterwards.
var lookup = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(false), idna.CheckHyphens(false))

// Host returns the form of a host name that is resolved and dialled: IDNA, in lower
// case, without a final dot. An address, with or without brackets, is returned
// without brackets; one with a zone is an error.
func Host(name string) (string, error) {
	inner := strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	if strings.Contains(inner, ":") {
		return address6(inner)
	}
	host, err := canonicalName(name)
	return strings.TrimSuffix(host, "."), err
}

// canonicalPlace returns the canonical form of a host with an optional port.
func canonicalPlace(place string) (string, error) {
	var host, port string
	if inner, ok := strings.CutPrefix(place, "["); ok {
		inner, rest, closed := strings.Cut(inner, "]")
		if !closed {
			return "", errHost
		}
		address, err := address6(inner)
		if err != nil {
			return "", err
		}
		host, port = "["+address+"]", rest
	} else {
		name, rest := cutAt(place, ":")
		canonical, err := canonicalName(name)
		if err != nil {
			return "", err
		}
		host, port = canonical, rest
	}
	digits, ok := strings.CutPrefix(port, ":")
	if port != "" && !ok || strings.Trim(digits, "0123456789") != "" || len(digits) > len("65535") {
		return "", errPort
	}
	if digits == "" {
		return host, nil
	}
	return host + ":" + digits, nil
}

func address6(text string) (string, error) {
	if strings.Contains(text, "%") {
		return "", errZone
	}
	address, err := netip.ParseAddr(text)
	if err != nil || !address.Is6() {
		return "", errHost
	}
	return address.String(), nil
}

// canonicalName returns the canonical form of a name or of an IPv4 address. A name
// whose last label is a number is an address for some resolvers ("127.1",
// "0x7f000001"), so it has to be one in the usual notation.
func canonicalName(name string) (string, error) {
	name, err := url.PathUnescape(name)
	if err != nil || !utf8.ValidString(name) {
		return "", errHost
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r >= utf8.RuneSelf }) {
		if name, err = lookup.ToASCII(name); err != nil {
			return "", errHost
		}
	}
	name = strings.ToLower(name)
	labels := strings.Split(strings.TrimSuffix(name, "."), ".")
	if len(name) > maxHost {
		return "", errHost
	}
	for _, label := range labels {
		if label == "" || len(label) > maxLabel || strings.ContainsFunc(label, notInName) {
			return "", errHost
		}
	}
	if last := labels[len(labels)-1]; isNumber(last) {
		if _, err := netip.ParseAddr(name); err != nil {
			return "", errNumber
		}
	}
	return name, nil
}

const (
	maxHost  = 254 // with a final dot
	maxLabel = 63
)

func notInName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
}

// isNumber reports whether a label is decimal, octal or hexadecimal.
func isNumber(label string) bool {
	if digits, ok := strings.CutPrefix(label, "0x"); ok {
		return strings.Trim(digits, "0123456789abcdef") == ""
	}
	return strings.Trim(label, "0123456789") == ""
}
