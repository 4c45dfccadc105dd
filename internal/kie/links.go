package kie

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"lumaflow/internal/oneline"
	"lumaflow/internal/weburl"
)

const (
	opDownloadURL   = "download-url"
	downloadURLPath = "/api/v1/common/download-url"

	// maxLinks bounds the result links of one task; Luma generates one video.
	maxLinks = 100
	// maxTexts bounds the elements of an array that are read for links or task ids,
	// maxUnusable the texts that an error names.
	maxTexts    = 1000
	maxUnusable = 3
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
		found := linksIn(a.fields["data"])
		if len(found.usable) == 0 {
			return "", a.newError(Temporary, found.err())
		}
		return found.usable[0], nil
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

// foundLinks are the texts of one field.
type foundLinks struct {
	// usable are distinct absolute http and https URLs, encoded. One whose host can't
	// be read is among them, as it is, if there is a usable one: the caller fails with
	// its name instead of losing its video.
	usable []string
	// unusable names the other texts; see weburl.Describe.
	unusable []string
}

// err is the error of a field without a usable link.
func (f foundLinks) err() error {
	if len(f.unusable) == 0 {
		return errors.New("the answer holds no link")
	}
	return fmt.Errorf("the answer's link %s can't be used", strings.Join(f.unusable, ", "))
}

// links returns the texts of the first field of results that has a link, else of the
// first that has any text, of the objects in their order.
func links(objects ...object) foundLinks {
	var found foundLinks
	for _, fields := range objects {
		found = found.orElse(fields.links(linkSpellings...))
	}
	return found
}

// links is the function of that name for one object and the given fields.
func (o object) links(spellings ...string) foundLinks {
	var found foundLinks
	for _, spelling := range spellings {
		found = found.orElse(linksIn(o[spelling]))
	}
	return found
}

// orElse returns other if it has a usable link and f has none, or if f is empty.
func (f foundLinks) orElse(other foundLinks) foundLinks {
	if len(f.usable) == 0 && (len(other.usable) > 0 || len(f.unusable) == 0) {
		return other
	}
	return f
}

// linksIn decodes an array of links, or a string that holds one link, a JSON
// array, a JSON object, or a list without quotes as on older pages of kie.ai:
// "[http://…]". Each level of nested strings doubles the escapes, so that
// MaxBody bounds the recursion.
func linksIn(raw json.RawMessage) foundLinks {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return foundLinks{}
	}
	switch raw[0] {
	case '[':
		return sorted(textsInArray(raw))
	case '"':
		text := strings.TrimSpace(asText(raw))
		if fields, err := parseObject([]byte(text)); err == nil {
			return links(fields)
		}
		if strings.HasPrefix(text, "[") && json.Valid([]byte(text)) {
			return sorted(textsInArray([]byte(text)))
		}
		return sorted(textsInText(text))
	default:
		return foundLinks{}
	}
}

func textsInArray(raw []byte) []string {
	// Decoding element by element bounds memory: an array within MaxBody may
	// have a million empty elements.
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if _, err := decoder.Token(); err != nil {
		return nil
	}
	var texts []string
	for decoder.More() && len(texts) < maxTexts {
		var element json.RawMessage
		if decoder.Decode(&element) != nil {
			return texts
		}
		if text := asText(element); text != "" && element[0] == '"' {
			texts = append(texts, text)
		}
	}
	return texts
}

func textsInText(text string) []string {
	// One start more than maxLinks marks the end of the last link.
	starts := linkStart.FindAllStringSubmatchIndex(text, maxLinks+1)
	if len(starts) == 0 {
		return []string{text}
	}
	var texts []string
	for n, start := range starts {
		end := len(text)
		if n+1 < len(starts) {
			end = starts[n+1][0]
		}
		texts = append(texts, strings.TrimRight(text[start[2]:end], "]\"', \t\r\n"))
	}
	return texts
}

// sorted separates the usable links of a field from its other texts.
func sorted(texts []string) foundLinks {
	var found foundLinks
	var usable bool
	for _, text := range texts {
		text = strings.TrimSpace(text)
		scheme, rest, _ := strings.Cut(text, "://")
		if text == "" || slices.Contains(found.usable, text) {
			continue
		}
		if !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") || rest == "" || len(text) > maxLink {
			found.addUnusable(text)
			continue
		}
		link, err := weburl.Encode(text)
		if err != nil {
			found.addUnusable(text)
			link = oneline.Clean(text)
		}
		usable = usable || err == nil
		if len(found.usable) < maxLinks && !slices.Contains(found.usable, link) {
			found.usable = append(found.usable, link)
		}
	}
	if !usable {
		found.usable = nil
	}
	return found
}

func (f *foundLinks) addUnusable(text string) {
	if name := weburl.Describe(text); len(f.unusable) < maxUnusable && !slices.Contains(f.unusable, name) {
		f.unusable = append(f.unusable, name)
	}
}
