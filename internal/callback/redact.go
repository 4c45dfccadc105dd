package callback

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// RedactTokens replaces every run of base64url characters that is long enough
// to hold a callback token by "[redacted]". Longer runs are replaced too: a
// token may touch other text. Bytes outside the alphabet end a run, so that
// callers drop invalid UTF-8 from a text before, not after.
func RedactTokens(text string) string {
	tokenLength := base64.RawURLEncoding.EncodedLen(sha256.Size)
	var kept strings.Builder
	for start := 0; start < len(text); {
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
