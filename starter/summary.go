package starter

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"lumaflow/workflows"
)

const (
	// summaryRunes bounds the part of a prompt in the summary.
	summaryRunes = 100
	// summaryBytes keeps the encoded summary below the 400 bytes that Temporal
	// accepts, with room for the payload's metadata and for encryption.
	summaryBytes = 240
)

// summary is the line that identifies a job in the Temporal UI.
func summary(input workflows.ModifyVideoInput) string {
	if input.TaskID != "" {
		return cut("collect task "+plain(input.TaskID), summaryRunes, summaryBytes)
	}
	return cut(plain(input.Prompt), summaryRunes, summaryBytes)
}

// cut shortens text to a number of runes and, encoded as JSON, of bytes.
func cut(text string, maxRunes, maxBytes int) string {
	runes := []rune(text)
	short := text
	for limit := min(maxRunes, len(runes)); ; limit-- {
		if limit < len(runes) {
			short = strings.TrimSpace(string(runes[:limit])) + "…"
		}
		encoded, err := json.Marshal(short)
		if limit == 0 || err == nil && len(encoded) <= maxBytes && utf8.RuneCountInString(short) <= maxRunes+1 {
			return short
		}
	}
}
