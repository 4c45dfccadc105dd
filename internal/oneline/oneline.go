// Package oneline makes text from other systems safe for one line of a log or a
// terminal.
package oneline

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean replaces each run of white space, control characters, other characters
// that do not print and invalid UTF-8 by one blank, and trims both ends.
func Clean(text string) string { return Truncate(text, math.MaxInt) }

// Truncate is Clean for text of any length: it keeps at most limit bytes, cut
// between two characters, and marks the cut with an ellipsis.
func Truncate(text string, limit int) string {
	var line strings.Builder
	blank := ""
	for _, r := range text {
		if r == utf8.RuneError || unicode.IsSpace(r) || !unicode.IsPrint(r) {
			if line.Len() > 0 {
				blank = " "
			}
			continue
		}
		if line.Len() > limit-len(blank)-utf8.RuneLen(r) {
			line.WriteString("…")
			break
		}
		line.WriteString(blank)
		line.WriteRune(r)
		blank = ""
	}
	return line.String()
}
