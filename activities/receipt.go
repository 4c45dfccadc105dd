package activities

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"go.temporal.io/sdk/activity"

	"lumaflow/internal/kie"
	"lumaflow/internal/store"
)

// ReceiptInput is the content of a finished job's receipt.
type ReceiptInput struct {
	TaskID         string       `json:"taskId"`
	Model          string       `json:"model,omitempty"`
	Name           string       `json:"name,omitempty"`
	Prompt         string       `json:"prompt,omitempty"`
	VideoURL       string       `json:"videoUrl,omitempty"`
	VideoSHA256    string       `json:"videoSha256,omitempty"`
	SubmitAttempts int          `json:"submitAttempts"`
	WokenBy        string       `json:"wokenBy"`
	SubmittedAt    time.Time    `json:"submittedAt"`
	CompletedAt    time.Time    `json:"completedAt"`
	Files          []Downloaded `json:"files"`
	Batch          string       `json:"batch,omitempty"`
	Credits        *float64     `json:"credits,omitempty"`
	// Source is nil if the job keeps no source.
	Source *KeptSource `json:"source,omitempty"`
}

// WriteReceipt stores the receipt beside the videos. It is idempotent: a retry
// replaces the receipt with the same content. A job that keeps no source leaves the
// source of an earlier job's receipt listed.
func (a *Activities) WriteReceipt(ctx context.Context, input ReceiptInput) error {
	job := activity.GetInfo(ctx).WorkflowExecution
	receipt := store.Receipt{
		Job:            job.ID,
		Batch:          input.Batch,
		Run:            job.RunID,
		TaskID:         input.TaskID,
		Model:          input.Model,
		Credits:        input.Credits,
		Prompt:         input.Prompt,
		SourceURL:      input.VideoURL,
		SourceSHA256:   input.VideoSHA256,
		SubmitAttempts: input.SubmitAttempts,
		WokenBy:        input.WokenBy,
		SubmittedAt:    input.SubmittedAt,
		CompletedAt:    input.CompletedAt,
		Source:         input.Source,
	}
	if receipt.Source == nil {
		// An earlier job for the same task may have kept the source.
		receipt.Source = earlierReceipt(ctx, a.options.Store, input.Model, input.Name, input.TaskID).Source
	}
	for _, file := range input.Files {
		receipt.Files = append(receipt.Files, file.receiptFile())
	}
	if _, err := a.options.Store.PutReceipt(ctx, names(input.Model).ReceiptName(input.Name, input.TaskID), receipt); err != nil {
		return storageFailure(err, 0)
	}
	return nil
}

// names are the names of the files of a model's tasks.
func names(model string) store.Naming { return store.Naming(kie.Brand(model)) }

// earlierReceipt is the receipt of an earlier job for the same task, zero if none can
// be read.
func earlierReceipt(ctx context.Context, from store.Store, model, name, taskID string) store.Receipt {
	receipt, err := from.Receipt(ctx, names(model).ReceiptName(name, taskID))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return store.Receipt{}
	case err != nil:
		activity.GetLogger(ctx).Warn("the receipt of an earlier job can't be read; its files are not used again", "error", err)
		return store.Receipt{}
	case receipt.TaskID != taskID:
		return store.Receipt{}
	}
	return receipt
}
