package fetch

import (
	"bufio"
	"bytes"
	"html"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"lumaflow/internal/coding"
)

const (
	// headSize is the number of bytes that decide what a body is.
	headSize = 512
	// pageSize is the part of a web page that is searched for its title, in bytes.
	pageSize = 4 << 10
	// maxTitle bounds the title of a web page in an error, in bytes.
	maxTitle = 80
)

// beginsFile reports whether bytes begin with the one atom that only the first bytes
// of a file are.
func beginsFile(head []byte) bool { return len(head) >= 8 && string(head[4:8]) == "ftyp" }

// firstAtoms are the types of atoms that video files begin with.
var firstAtoms = []string{"ftyp", "styp", "moov", "mdat", "free", "skip", "wide", "pnot", "uuid"}

// opensLikeVideo reports whether bytes begin with such an atom and are no text that
// happens to have its type, such as "Get free …".
func opensLikeVideo(head []byte) bool {
	return len(head) >= 8 && slices.Contains(firstAtoms, string(head[4:8])) && !strings.HasPrefix(http.DetectContentType(head), "text/")
}

// insteadOfVideo names a body that is provably no video, empty if it may be one. A
// content type proves nothing: servers without a table of types send text/plain.
func insteadOfVideo(body *bufio.Reader) string {
	head, _ := body.Peek(headSize)
	if len(head) == 0 || opensLikeVideo(head) {
		return ""
	}
	detected, _, _ := mime.ParseMediaType(http.DetectContentType(head))
	switch detected {
	case "text/html":
		page, _ := body.Peek(pageSize)
		if title := pageTitle(page); title != "" {
			return "an HTML page titled " + strconv.Quote(title)
		}
		return "an HTML page"
	case "text/xml":
		return "an XML document"
	case "text/plain":
		if first := bytes.TrimLeft(head, "\ufeff \t\r\n"); len(first) > 0 && (first[0] == '{' || first[0] == '[') {
			return "a JSON document"
		}
		return "plain text"
	case "image/jpeg", "image/png", "image/gif", "image/webp":
		return "an image (" + detected + ")"
	case "application/pdf", "application/zip":
		return "a file of the type " + detected
	default:
		// The other types that DetectContentType finds begin with bytes that may be the
		// length of an atom.
		return ""
	}
}

// codings are the registered content codings that change the bytes.
var codings = []string{"gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress"}

// doubtfulLabel returns the labels of a response that no video should have.
func doubtfulLabel(header http.Header) string {
	var labels []string
	mediaType, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if kind, _, _ := strings.Cut(mediaType, "/"); err == nil && len(mediaType) <= maxTitle && kind != "video" && mediaType != "application/octet-stream" {
		labels = append(labels, mediaType)
	}
	for _, name := range codings {
		if coding.Labelled(header, name) {
			labels = append(labels, name)
		}
	}
	return strings.Join(labels, ", ")
}

// labelledText reports whether the Content-Type is that of a page or a message.
func labelledText(header http.Header) bool {
	mediaType, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	kind, subtype, _ := strings.Cut(mediaType, "/")
	return err == nil && (kind == "text" || subtype == "json" || subtype == "xml" ||
		strings.HasSuffix(subtype, "+json") || strings.HasSuffix(subtype, "+xml"))
}

var titleForm = regexp.MustCompile(`(?is)<title[^>]*>([^<]*)`)

// pageTitle returns the title of a web page on one line, without words that may quote
// the link.
func pageTitle(page []byte) string {
	found := titleForm.FindSubmatch(page)
	if found == nil || !utf8.Valid(found[1]) {
		return ""
	}
	words := strings.Fields(html.UnescapeString(string(found[1])))
	for i, word := range words {
		if len(word) > 24 || len(word) > 1 && strings.ContainsAny(word, "/?=&%@") {
			words[i] = "…"
		}
	}
	title := strings.Join(words, " ")
	if len(title) > maxTitle {
		title = strings.ToValidUTF8(title[:maxTitle], "") + "…"
	}
	return title
}
