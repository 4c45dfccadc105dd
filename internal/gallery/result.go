package gallery

import (
	"cmp"
	"path"
	"strings"
	"time"

	"lumaflow/internal/oneline"
	"lumaflow/internal/store"
)

const (
	// maxText bounds the texts of a receipt in memory, in bytes. A receipt may have
	// 1 MiB.
	maxText = 4 << 10
	// maxFiles bounds the videos of one receipt. kie.ai delivers one to four.
	maxFiles = 100
)

// Result is one stored video with the facts of its receipt.
type Result struct {
	// Name is the file name of the video, Receipt that of its receipt.
	Name, Receipt string
	Job, Run      string
	TaskID        string
	Prompt        string
	Model, Batch  string
	// Credits is the cost of the task, nil if the receipt has none.
	Credits   *float64
	Completed time.Time
	// Duration is 0 if the receipt has none.
	Duration      time.Duration
	Bytes         int64
	Width, Height int
	// Gone means that the store no longer has the file as the receipt lists it.
	Gone bool
	// Source is the file name of the stored source. If it is empty, NoSource has the
	// reason.
	Source, NoSource string
	// sourceSHA256 and sourceURL identify the source; each is empty if it is unknown.
	sourceSHA256, sourceURL string
	// search is the text that a filter searches beside the name, in lower case. The
	// videos of one receipt share it.
	search string
}

// resultsOf returns the videos of a receipt.
func resultsOf(name string, receipt store.Receipt) []Result {
	base := Result{
		Receipt:   name,
		Job:       bounded(receipt.Job),
		Run:       bounded(receipt.Run),
		TaskID:    bounded(receipt.TaskID),
		Prompt:    bounded(receipt.Prompt),
		Model:     bounded(cmp.Or(receipt.Model, string(store.Luma))),
		Batch:     bounded(receipt.Batch),
		Credits:   receipt.Credits,
		Completed: receipt.CompletedAt,
		sourceURL: bounded(receipt.SourceURL),
	}
	base.Source, base.NoSource = sourceOf(receipt)
	base.sourceSHA256 = bounded(receipt.SourceSHA256)
	if base.Source != "" {
		base.sourceSHA256 = receipt.Source.SHA256
	}
	base.search = strings.ToLower(strings.Join([]string{base.Prompt, base.Model, base.Batch, base.TaskID, base.Job}, "\n"))
	var results []Result
	for _, file := range receipt.Files[:min(len(receipt.Files), maxFiles)] {
		if !isVideo(file.Name) {
			continue
		}
		result := base
		result.Name, result.Bytes, result.Width, result.Height = file.Name, file.Bytes, file.Width, file.Height
		if length, err := time.ParseDuration(file.Duration); err == nil && length > 0 {
			result.Duration = length
		}
		results = append(results, result)
	}
	return results
}

// bounded is the beginning of a text from a receipt.
func bounded(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText], "") + "…"
}

// isVideo reports whether a file has the extension of a video. A receipt that lists
// another file of the store does not publish it.
func isVideo(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".mp4", ".mov", ".avi":
		return store.CheckName(name) == nil
	default:
		return false
	}
}

// sourceOf returns the name of the stored source, or the reason why there is none.
func sourceOf(receipt store.Receipt) (name, reason string) {
	const notKept = "The source was not kept. A worker with KEEP_SOURCE=true keeps it beside the result."
	switch source := receipt.Source; {
	case source == nil:
		return "", notKept
	case source.ReceiptFile == nil:
		return "", "The source could not be kept: " + oneline.Truncate(source.Missing, 300)
	case !isVideo(source.Name):
		return "", "The source is no video file."
	default:
		return source.Name, ""
	}
}

// sameSource reports whether two results are of the same source: by its bytes, else by
// its address.
func (r *Result) sameSource(other *Result) bool {
	if r.sourceSHA256 != "" && r.sourceSHA256 == other.sourceSHA256 {
		return true
	}
	return r.sourceURL != "" && r.sourceURL == other.sourceURL
}
