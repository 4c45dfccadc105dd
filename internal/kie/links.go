package kie

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

const (
	opDownloadURL   = "download-url"
	downloadURLPath = "/api/v1/common/download-url"

	// maxLinks bounds the result links of one task; Luma generates one video.
	maxLinks = 100
	// maxLink bounds, in bytes, a result link.
	maxLink = 8 << 10
)

// DownloadURL returns a fresh link to a file that kie.ai generated. kie.ai
// documents that the link is valid for 20 minutes and that links of other hosts
// are rejected: the error is NotFound. It does not document whether a file can
// be linked after its 14 days. DownloadURL makes at most three requests within
// 25 seconds.
func (c *Client) DownloadURL(ctx context.Context, url string) (link string, err error) {
	return read(ctx, c, readRequest{
		op:     opDownloadURL,
		method: http.MethodPost,
		url:    c.api.JoinPath(downloadURLPath),
		body: struct {
			URL string `json:"url"`
		}{url},
	}, func(a answer) (string, error) {
		if !a.readable() {
			return "", a.readError()
		}
		links := linksIn(a.fields["data"])
		if len(links) == 0 {
			return "", a.newError(Temporary, errors.New("the answer holds no link"))
		}
		return links[0], nil
	})
}

// linkSpellings are the fields of kie.ai's families that hold result links, in
// order of preference. "videoUrl" is not one of them: it is the source video.
var linkSpellings = []string{
	"resultUrls", "result_urls", "resultJson",
	"resultVideoUrl", "result_video_url", "video_url", "resultImageUrl", "result_image_url",
}

// linkStart matches the start of a link in a string that is no JSON.
var linkStart = regexp.MustCompile(`(?i)(?:^|[\[,\s"'])(https?://)`)

// links returns the distinct result links of one field: the first field that has
// any, of the first object that has such a field.
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

// linksIn decodes an array of links, or a string that holds one link, a JSON
// array, a JSON object, or a list without quotes as on older pages of kie.ai:
// "[http://…]". Each level of nested strings doubles the escapes, so that
// MaxBody bounds the recursion.
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
	// Decoding element by element bounds memory: an array within MaxBody may
	// have a million empty elements.
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
	// One start more than maxLinks marks the end of the last link.
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
	if slices.Contains(found, link) {
		return found
	}
	return append(found, link)
}
