package starter

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"lumaflow/workflows"
)

const (
	// summaryRunes is how much of a prompt is worth a line in the Temporal UI.
	summaryRunes = 100
	// summaryBytes keeps the encoded summary below the 400 bytes that Temporal
	// takes, with room for the payload's own data and for encryption.
	summaryBytes = 240
)

// summary is the one line by which the Temporal UI tells jobs apart.
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
