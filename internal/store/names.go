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
	marker = "luma_result_"
	// The longest possible name, with a hash and a number of 20 digits, stays
	// under the 255 bytes that file systems allow.
	maxPrefix = 60
	maxTaskID = 100
	maxName   = 255
)

// VideoName names the nth video of a task: luma_result_<taskId>_<n>.mp4, after
// <prefix>_ if there is a prefix. The extension is .mov if that is asked for,
// else .mp4.
//
// A prefix and a task id of ordinary length made of ASCII letters, digits and
// . _ - appear as they are. Of others what fits is kept and a ~ with a hash of
// the originals is added, so that different ones get different names. File
// systems that don't tell upper from lower case confuse only those that differ
// in nothing else.
func VideoName(prefix, taskID string, n int, extension string) string {
	if extension != ".mov" {
		extension = ".mp4"
	}
	return stem(prefix, taskID) + "_" + strconv.Itoa(n) + extension
}

// ReceiptName names the receipt of a task: luma_result_<taskId>.json, with
// prefix and task id as in VideoName.
func ReceiptName(prefix, taskID string) string {
	return stem(prefix, taskID) + ".json"
}

// IsReceiptName reports whether a file of this name ought to be a receipt.
func IsReceiptName(name string) bool {
	return strings.Contains(name, marker) && strings.HasSuffix(name, ".json")
}

var videoName = regexp.MustCompile(`^(.*` + marker + `.*)_[0-9]+\.(mp4|mov)$`)

// ReceiptNameOf is the name of the receipt that has to list a video, if the
// video has a name that VideoName makes.
func ReceiptNameOf(video string) (receipt string, ok bool) {
	parts := videoName.FindStringSubmatch(video)
	if parts == nil {
		return "", false
	}
	return parts[1] + ".json", true
}

func stem(prefix, taskID string) string {
	keptPrefix, keptID := keep(prefix, maxPrefix), keep(taskID, maxTaskID)
	if strings.HasPrefix(keptPrefix, ".") || strings.HasPrefix(keptPrefix, "-") {
		// Neither hidden nor taken for a flag.
		keptPrefix = "_" + keptPrefix[1:]
	}
	name := marker + keptID
	if keptPrefix != "" {
		name = keptPrefix + "_" + name
	}
	// A second marker, in whatever case, would leave open where the prefix ends.
	if keptPrefix == prefix && keptID == taskID && taskID != "" && strings.Count(strings.ToLower(name), marker) == 1 {
		return name
	}
	// Quoting tells ("a", "bc") from ("ab", "c").
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

// CheckName refuses whatever is not the plain name of a visible file.
func CheckName(name string) error {
	switch {
	case name == "", len(name) > maxName, !utf8.ValidString(name),
		strings.HasPrefix(name, "."), strings.ContainsAny(name, `/\`), !filepath.IsLocal(name),
		strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Errorf("%.80q is no plain file name", name)
	}
	return nil
}
