package activities

import "lumaflow/internal/store"

// Video is one stored, verified video.
type Video struct {
	// Location is its URL in the store.
	Location string `json:"location"`
	// SourceURL is kie.ai's link; it expires.
	SourceURL string `json:"sourceUrl"`
	Bytes     int64  `json:"bytes"`
	SHA256    string `json:"sha256"`
	// Duration is a Go duration string.
	Duration string `json:"duration"`
	Width    int    `json:"width"`
	Height   int    `json:"height"`
}

// Downloaded is a stored video and the other facts of its receipt.
type Downloaded struct {
	Video Video `json:"video"`
	// Name is the file's name in the store.
	Name    string `json:"name"`
	URLHost string `json:"urlHost"`
	ETag    string `json:"etag,omitempty"`
}

func newDownloaded(file store.ReceiptFile, sourceURL string) Downloaded {
	return Downloaded{
		Video: Video{
			Location:  file.Location,
			SourceURL: sourceURL,
			Bytes:     file.Bytes,
			SHA256:    file.SHA256,
			Duration:  file.Duration,
			Width:     file.Width,
			Height:    file.Height,
		},
		Name:    file.Name,
		URLHost: file.URLHost,
		ETag:    file.ETag,
	}
}

// receiptFile reverses newDownloaded.
func (d Downloaded) receiptFile() store.ReceiptFile {
	return store.ReceiptFile{
		Name:     d.Name,
		Location: d.Video.Location,
		URLHost:  d.URLHost,
		ETag:     d.ETag,
		Bytes:    d.Video.Bytes,
		SHA256:   d.Video.SHA256,
		Duration: d.Video.Duration,
		Width:    d.Video.Width,
		Height:   d.Video.Height,
	}
}
