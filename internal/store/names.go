package store

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	resultMarker = "_result_"
	sourceMarker = "_source_"
	// Bounds in bytes: the longest name, with a hash and a number of 20 digits,
	// stays below maxName, the limit of common file systems.
	maxPrefix = 60
	maxTaskID = 100
	maxBatch  = 150
	maxName   = 255
)

// Naming is the word that the names of a task's files have: Luma, or KIE for models of
// other families.
type Naming string

// The namings of stored files.
const (
	Luma Naming = "luma"
	KIE  Naming = "kie"
)

// VideoName is Naming.VideoName of Luma.
func VideoName(prefix, taskID string, n int, extension string) string {
	return Luma.VideoName(prefix, taskID, n, extension)
}

// SourceName is Naming.SourceName of Luma.
func SourceName(prefix, taskID, extension string) string {
	return Luma.SourceName(prefix, taskID, extension)
}

// ReceiptName is Naming.ReceiptName of Luma.
func ReceiptName(prefix, taskID string) string { return Luma.ReceiptName(prefix, taskID) }

// VideoName is the file name of the nth video of a task:
// luma_result_<taskId>_<n>.mp4 (kie_result_… for KIE), after <prefix>_ if there is a prefix. Every
// extension but .mov becomes .mp4.
//
// ASCII letters, digits and . _ - are kept, and a blank in the prefix becomes _.
// Any other replacement, and a cut at the maximum length, adds a ~ and a hash of
// the original prefix and task id, so that different originals get different
// names. Two limits: prefixes that differ only in blank and _ share the names of
// one task, and a file system that ignores case merges names that differ only in
// case.
func (w Naming) VideoName(prefix, taskID string, n int, extension string) string {
	if extension != ".mov" {
		extension = ".mp4"
	}
	return w.named(resultMarker, prefix, taskID) + "_" + strconv.Itoa(n) + extension
}

// SourceName is the file name of the copy of a task's source video:
// luma_source_<taskId>.mp4, with prefix and task id as in VideoName. Every
// extension but .mov and .avi becomes .mp4.
func (w Naming) SourceName(prefix, taskID, extension string) string {
	if extension != ".mov" && extension != ".avi" {
		extension = ".mp4"
	}
	return w.named(sourceMarker, prefix, taskID) + extension
}

// ReceiptName is the file name of a task's receipt: luma_result_<taskId>.json,
// with prefix and task id as in VideoName.
func (w Naming) ReceiptName(prefix, taskID string) string {
	return w.named(resultMarker, prefix, taskID) + ".json"
}

// IsReceiptName reports whether ReceiptName could have made the name.
func IsReceiptName(name string) bool {
	return anyResult.MatchString(name) && strings.HasSuffix(name, ".json")
}

var (
	anyMarker  = regexp.MustCompile(`(?:luma|kie)_(?:result|source)_`)
	anyResult  = regexp.MustCompile(`(?:luma|kie)_result_`)
	videoName  = regexp.MustCompile(`^(.*(?:luma|kie)_result_.*)_[0-9]+\.(mp4|mov)$`)
	sourceName = regexp.MustCompile(`^((?:.*_)?)(luma|kie)_source_(.*)\.(mp4|mov|avi)$`)
)

// ReceiptNameOf returns the name of the receipt that must list a video. It is
// not ok if neither VideoName nor SourceName could have made the video's name. For
// the source of a task whose id contains the marker of sources it is another name.
func ReceiptNameOf(video string) (receipt string, ok bool) {
	if parts := videoName.FindStringSubmatch(video); parts != nil {
		return parts[1] + ".json", true
	}
	if parts := sourceName.FindStringSubmatch(video); parts != nil {
		return parts[1] + parts[2] + resultMarker + parts[3] + ".json", true
	}
	return "", false
}

// IsSourceName reports whether SourceName could have made the name.
func IsSourceName(name string) bool {
	return sourceName.MatchString(name) && !videoName.MatchString(name)
}

// named is the name without its end. kind is one of the markers.
func (w Naming) named(kind, prefix, taskID string) string {
	unhashed := strings.ReplaceAll(prefix, " ", "_")
	keptPrefix, keptID := keep(prefix, maxPrefix), keep(taskID, maxTaskID)
	if strings.HasPrefix(keptPrefix, ".") || strings.HasPrefix(keptPrefix, "-") {
		// A dot would hide the file, a dash would make its name a flag.
		keptPrefix = "_" + keptPrefix[1:]
	}
	name := string(w) + kind + keptID
	if keptPrefix != "" {
		name = keptPrefix + "_" + name
	}
	// With a second marker, in any case, the end of the prefix would be ambiguous.
	lower := strings.ToLower(name)
	if keptPrefix == unhashed && keptID == taskID && taskID != "" && len(anyMarker.FindAllString(lower, 2)) == 1 {
		return name
	}
	// The quotes separate ("a", "bc") from ("ab", "c").
	hash := sha256.Sum256(fmt.Appendf(nil, "%q %q", prefix, taskID))
	return name + "~" + hex.EncodeToString(hash[:8])
}

// keep maps everything but ASCII letters, digits and . _ - to _, and cuts.
func keep(text string, length int) string {
	text = text[:min(len(text), length)]
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		}
		return '_'
	}, text)
}

// CheckName rejects every name but that of a visible file in the store itself.
func CheckName(name string) error {
	switch {
	case name == "", len(name) > maxName, !utf8.ValidString(name),
		strings.HasPrefix(name, "."), strings.ContainsAny(name, `/\`), !filepath.IsLocal(name),
		strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Errorf("%.80q is no plain file name", name)
	}
	return nil
}

// BatchFileName is the name of a file about a batch: <batch>.<kind>, with the id of
// the batch as the prefix in VideoName.
func BatchFileName(batch, kind string) string {
	kept := keep(batch, maxBatch)
	if kept == "" || kept[0] == '.' || kept != batch {
		hash := sha256.Sum256([]byte(batch))
		kept = "batch-" + strings.TrimLeft(kept, ".") + "~" + hex.EncodeToString(hash[:8])
	}
	return kept + "." + kind
}
