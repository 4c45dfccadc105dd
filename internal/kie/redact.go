package kie

import (
	"regexp"

	"lumaflow/internal/callback"
)

const (
	redacted = "[redacted]"
	// maxMessage bounds, in bytes, the provider's texts.
	maxMessage = 300
	// minKey is the length from which an API key is removed from texts. The
	// simulated kie.ai accepts short keys, which are also parts of words.
	minKey = 16
)

var (
	urlQuery = regexp.MustCompile(`(?i)(https?://[^\s?#"'<>]*)[?#][^\s"'<>]*`)
	urlUser  = regexp.MustCompile(`(?i)(https?://)[^\s/?#"'<>]*@`)
)

// redact removes possible secrets from a text of kie.ai: callback tokens, which
// kie.ai may quote from the callback URL; the query strings of URLs, which may
// hold signatures; and the user names and passwords in URLs.
func redact(text string) string {
	text = urlQuery.ReplaceAllString(text, "$1?"+redacted)
	text = urlUser.ReplaceAllString(text, "$1"+redacted+"@")
	return callback.RedactTokens(text)
}
