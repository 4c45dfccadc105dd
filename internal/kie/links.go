package kie

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"unicode"
)

const (
	// maxLinks bounds how many result links of one task are kept; Luma makes
	// one video.
	maxLinks = 100
	// maxLink bounds, in bytes, a result link.
	maxLink = 8 << 10
)

// linkSpellings are the fields in which kie.ai's families put result links, in
// order of preference. A field "videoUrl" is not among them: it is the source.
var linkSpellings = []string{
	"resultUrls", "result_urls", "resultJson",
	"resultVideoUrl", "result_video_url", "video_url", "resultImageUrl", "result_image_url",
}

// linkStart finds the links in a string that is no JSON.
var linkStart = regexp.MustCompile(`(?i)(?:^|[\[,\s"'])(https?://)`)

// links returns the result links of the first of the objects that has any, all
// from one field, each once.
func links(objects ...object) []string {
	for _, fields := range objects {
		for _, spelling := range linkSpellings {
			if found := linksIn(fields[spelling]); len(found) > 0 {
				return found
			}
		}
	}
	return nil
}

// linksIn reads an array of links, or a string that holds one link, a JSON
// array, a JSON object, or what older pages show: "[http://…]" without quotes
// inside. Every level of strings in strings doubles the escapes, so the size
// of the body bounds the depth.
func linksIn(raw json.RawMessage) []string {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return nil
	}
	switch raw[0] {
	case '[':
		return linksInArray(raw)
	case '"':
		text := strings.TrimSpace(asText(raw))
		if fields, err := parseObject([]byte(text)); err == nil {
			return links(fields)
		}
		if strings.HasPrefix(text, "[") && json.Valid([]byte(text)) {
			return linksInArray([]byte(text))
		}
		return linksInText(text)
	default:
		return nil
	}
}

func linksInArray(raw []byte) []string {
	// Element by element: a million empty elements must not become a slice.
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if _, err := decoder.Token(); err != nil {
		return nil
	}
	var found []string
	for decoder.More() {
		var element json.RawMessage
		if decoder.Decode(&element) != nil {
			return found
		}
		found = appendLink(found, asText(element))
	}
	return found
}

func linksInText(text string) []string {
	var found []string
	// One more than is kept, to end the last.
	starts := linkStart.FindAllStringSubmatchIndex(text, maxLinks+1)
	for n, start := range starts {
		end := len(text)
		if n+1 < len(starts) {
			end = starts[n+1][0]
		}
		found = appendLink(found, strings.TrimRight(text[start[2]:end], "]\"', \t\r\n"))
	}
	return found
}

func appendLink(found []string, link string) []string {
	link = strings.TrimSpace(link)
	scheme, rest, _ := strings.Cut(link, "://")
	if !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") || rest == "" ||
		len(link) > maxLink || len(found) >= maxLinks ||
		strings.ContainsFunc(link, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return found
	}
	for _, known := range found {
		if known == link {
			return found
		}
	}
	return append(found, link)
}
