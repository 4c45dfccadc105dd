package runs

import (
	"encoding/json"
	"strings"

	"lumaflow/internal/oneline"
)

const (
	// summaryRunes bounds the text of a summary.
	summaryRunes = 100
	// summaryBytes keeps the encoded summary below the 400 bytes that Temporal
	// accepts, with room for the payload's metadata and for encryption.
	summaryBytes = 200
)

// Summary returns the beginning of a text as the line that identifies a job in the
// Temporal UI.
func Summary(text string) string {
	text = oneline.Clean(text)
	runes := []rune(text)
	for limit := min(summaryRunes, len(runes)); ; limit-- {
		if limit < len(runes) {
			text = strings.TrimSpace(string(runes[:limit])) + "…"
		}
		encoded, err := json.Marshal(text)
		if limit == 0 || err == nil && len(encoded) <= summaryBytes {
			return text
		}
	}
}
