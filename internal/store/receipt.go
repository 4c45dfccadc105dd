package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"time"
)

const (
	// receiptVersion increases when an older reader would misread the format.
	receiptVersion = 1
	maxReceipt     = 1 << 20
)

// Receipt records the origin of a task's videos and their properties at the time
// they were stored.
type Receipt struct {
	// Version is 1. PutReceipt sets it.
	Version int `json:"version"`
	// Job is the workflow id, Run the run id.
	Job    string `json:"job"`
	Run    string `json:"run"`
	TaskID string `json:"taskId"`
	Prompt string `json:"prompt,omitempty"`
	// Model is kie.ai's name of the model; empty for Luma Modify.
	Model string `json:"model,omitempty"`
	// Credits is the cost of the task as kie.ai's record has it; nil if it has none.
	Credits *float64 `json:"credits,omitempty"`
	// SourceURL is the address of the source video. Encode drops its user,
	// query and fragment, which may contain credentials and signatures.
	SourceURL string `json:"sourceUrl,omitempty"`
	// SourceSHA256 is the SHA-256 of the source in hexadecimal, empty if the job
	// had none. It identifies an upload after its address has expired.
	SourceSHA256 string `json:"sourceSha256,omitempty"`
	// Batch is the workflow id of the batch that started the job, empty if none did.
	Batch          string `json:"batch,omitempty"`
	SubmitAttempts int    `json:"submitAttempts"`
	// WokenBy is "callback" or "poll".
	WokenBy     string        `json:"wokenBy"`
	SubmittedAt time.Time     `json:"submittedAt"`
	CompletedAt time.Time     `json:"completedAt"`
	Files       []ReceiptFile `json:"files"`
	// Source is the copy of the source video; nil if the job kept none.
	Source *ReceiptSource `json:"source,omitempty"`
}

// ReceiptSource is the copy of a source video: either a stored file or the reason
// why there is none. In JSON the fields of the file and Missing are side by side.
type ReceiptSource struct {
	// ReceiptFile is the stored copy; nil if Missing is set.
	*ReceiptFile
	// Missing is one line without any link; empty if the copy is stored.
	Missing string `json:"missing,omitempty"`
}

// ReceiptFile is one stored video.
type ReceiptFile struct {
	// Name is the file name in the store, Location its URL.
	Name     string `json:"name"`
	Location string `json:"location"`
	// URLHost is the host of the download.
	URLHost string `json:"urlHost"`
	ETag    string `json:"etag,omitempty"`
	Bytes   int64  `json:"bytes"`
	// SHA256 is in lower-case hexadecimal.
	SHA256 string `json:"sha256"`
	// Duration is a Go duration string.
	Duration string `json:"duration"`
	// Width and Height are in pixels.
	Width  int `json:"width"`
	Height int `json:"height"`
}

var sha256Hex = regexp.MustCompile(`^[0-9a-f]{64}$`)

// check rejects receipts that a reader could not use. Encode and DecodeReceipt
// both call it, so that every encoded receipt can be decoded.
func (r Receipt) check() error {
	if r.Version != receiptVersion {
		return fmt.Errorf("version %d is not %d: it is not a receipt, or a newer lumaflow wrote it", r.Version, receiptVersion)
	}
	if r.TaskID == "" {
		return errors.New("no task id")
	}
	if source := r.Source; source != nil && (source.ReceiptFile == nil) == (source.Missing == "") {
		return errors.New("its source is not either a file or missing")
	}
	for _, file := range r.Listed() {
		if err := CheckName(file.Name); err != nil {
			return err
		}
		if file.Bytes < 0 || !sha256Hex.MatchString(file.SHA256) {
			return fmt.Errorf("no size and SHA-256 for %s", file.Name)
		}
	}
	return nil
}

// Listed are all stored files of the receipt: the videos and, last, the copy of the
// source if there is one.
func (r Receipt) Listed() []ReceiptFile {
	if r.Source == nil || r.Source.ReceiptFile == nil {
		return r.Files
	}
	return append(slices.Clone(r.Files), *r.Source.ReceiptFile)
}

// Encode returns the stored form of a receipt, at most 1 MiB. It rejects every
// receipt that DecodeReceipt rejects.
func (r Receipt) Encode() ([]byte, error) {
	r.Version = receiptVersion
	r.SourceURL = withoutSecrets(r.SourceURL)
	if r.Files == nil {
		r.Files = []ReceiptFile{}
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(r); err != nil {
		return nil, err
	}
	if text.Len() > maxReceipt {
		return nil, fmt.Errorf("it would be over %d bytes", maxReceipt)
	}
	return text.Bytes(), nil
}

// DecodeReceipt reads the stored form, at most 1 MiB. It ignores unknown fields.
func DecodeReceipt(from io.Reader) (Receipt, error) {
	text, err := io.ReadAll(io.LimitReader(from, maxReceipt+1))
	if err != nil {
		return Receipt{}, err
	}
	if len(text) > maxReceipt {
		return Receipt{}, fmt.Errorf("it is over %d bytes", maxReceipt)
	}
	var receipt Receipt
	if err := json.Unmarshal(text, &receipt); err != nil {
		return Receipt{}, fmt.Errorf("it is not the JSON of a receipt: %w", err)
	}
	if err := receipt.check(); err != nil {
		return Receipt{}, err
	}
	return receipt, nil
}

func withoutSecrets(text string) string {
	parsed, err := url.Parse(text)
	if err != nil || parsed.Opaque != "" {
		return ""
	}
	return (&url.URL{Scheme: parsed.Scheme, Host: parsed.Host, Path: parsed.Path, RawPath: parsed.RawPath}).String()
}
