package kie

import (
	"regexp"
	"strings"
)

const (
	redacted = "[redacted]"
	// maxMessage bounds, in bytes, what is kept of the provider's text.
	maxMessage = 300
	// tokenLength is the length of a callback token: 32 bytes in unpadded
	// base64url.
	tokenLength = 43
	// minKey is the length from which a key is taken out of texts: the simulated
	// kie.ai takes any, and "any" is in many words.
	minKey = 16
)

var (
	urlQuery = regexp.MustCompile(`(?i)(https?://[^\s?#"'<>]*)[?#][^\s"'<>]*`)
	urlUser  = regexp.MustCompile(`(?i)(https?://)[^\s/?#"'<>]*@`)
)

// redact removes what may be a secret from a text: callback tokens, which
// kie.ai knows from the callback URL and may quote, the query strings of URLs,
// which sign them, and the user names and passwords in them.
func redact(text string) string {
	text = urlQuery.ReplaceAllString(text, "$1?"+redacted)
	text = urlUser.ReplaceAllString(text, "$1"+redacted+"@")
	return redactTokens(text)
}

// redactTokens replaces every run of base64url characters that is long enough
// to hold a callback token. Longer runs go too, since a token may touch other
// text.
func redactTokens(text string) string {
	var kept strings.Builder
	start := 0
	for start < len(text) {
		end := start
		for end < len(text) && isBase64URL(text[end]) {
			end++
		}
		if end-start >= tokenLength {
			kept.WriteString(redacted)
		} else {
			kept.WriteString(text[start:end])
		}
		if end < len(text) {
			kept.WriteByte(text[end])
		}
		start = end + 1
	}
	return kept.String()
}

func isBase64URL(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}
