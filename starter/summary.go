package starter

import (
	"encoding/json"
	"strings"

	"lumaflow/workflows"
)

const (
	// summaryRunes bounds the part of a prompt in the summary.
	summaryRunes = 100
	// summaryBytes keeps the encoded summary below the 400 bytes that Temporal
	// accepts, with room for the payload's metadata and for encryption.
	summaryBytes = 240
)

// summary is the line that identifies a job in the Temporal UI: the beginning of
// the prompt, or the task to collect.
func summary(input workflows.ModifyVideoInput) string {
	text := plain(input.Prompt)
	if input.TaskID != "" {
		text = "collect task " + plain(input.TaskID)
	}
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
