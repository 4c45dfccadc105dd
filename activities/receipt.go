package activities

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"

	"lumaflow/internal/store"
)

// ReceiptInput is what a finished job knows about itself.
type ReceiptInput struct {
	TaskID         string       `json:"taskId"`
	Name           string       `json:"name,omitempty"`
	Prompt         string       `json:"prompt,omitempty"`
	VideoURL       string       `json:"videoUrl,omitempty"`
	VideoSHA256    string       `json:"videoSha256,omitempty"`
	SubmitAttempts int          `json:"submitAttempts"`
	WokenBy        string       `json:"wokenBy"`
	SubmittedAt    time.Time    `json:"submittedAt"`
	CompletedAt    time.Time    `json:"completedAt"`
	Files          []Downloaded `json:"files"`
}

// WriteReceipt stores the receipt beside the videos. Writing it again replaces
// it with the same content.
func (a *Activities) WriteReceipt(ctx context.Context, input ReceiptInput) error {
	info := activity.GetInfo(ctx)
	receipt := store.Receipt{
		Job:            info.WorkflowExecution.ID,
		Run:            info.WorkflowExecution.RunID,
		TaskID:         input.TaskID,
		Prompt:         input.Prompt,
		SourceURL:      input.VideoURL,
		SourceSHA256:   input.VideoSHA256,
		SubmitAttempts: input.SubmitAttempts,
		WokenBy:        input.WokenBy,
		SubmittedAt:    input.SubmittedAt,
		CompletedAt:    input.CompletedAt,
	}
	for _, file := range input.Files {
		receipt.Files = append(receipt.Files, store.ReceiptFile{
			Name:     file.Name,
			Location: file.Video.Location,
			URLHost:  file.URLHost,
			ETag:     file.ETag,
			Bytes:    file.Video.Bytes,
			SHA256:   file.Video.SHA256,
			Duration: file.Video.Duration,
			Width:    file.Video.Width,
			Height:   file.Video.Height,
		})
	}
	name := store.ReceiptName(input.Name, input.TaskID)
	if _, err := a.Store.PutReceipt(ctx, name, receipt); err != nil {
		return retry(StorageUnavailable, "", err, 0)
	}
	return nil
}
