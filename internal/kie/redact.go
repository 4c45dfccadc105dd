package kie

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"lumaflow/internal/callback"
)

const (
	redacted = "[redacted]"
	// maxMessage bounds, in characters, the provider's texts.
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

// oneLine makes a text fit for a line of a log or a terminal: at most limit
// characters and an ellipsis, nothing that controls a terminal.
func oneLine(text string, limit int) string {
	var line strings.Builder
	length, gap := 0, 0
	for _, r := range text {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) || r == utf8.RuneError {
			gap = min(length, 1)
			continue
		}
		if length+gap+1 > limit {
			line.WriteString("…")
			break
		}
		line.WriteString(" "[:gap])
		line.WriteRune(r)
		length, gap = length+gap+1, 0
	}
	return line.String()
}
