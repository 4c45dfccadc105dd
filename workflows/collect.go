package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
)

// collect downloads the videos of the task in parallel. A failed download does
// not stop the others.
func (j *job) collect(ctx workflow.Context, task *paidTask, completed completion) ([]activities.Downloaded, error) {
	count := len(completed.record.ResultURLs)
	j.enter(ctx, StageCollecting, fmt.Sprintf("downloading %s of task %s", videoCount(count), task.id))
	downloads := make([]workflow.Future, count)
	for i, url := range completed.record.ResultURLs {
		summary := fmt.Sprintf("download video %d of %d of task %s", i+1, count, task.id)
		downloads[i] = workflow.ExecuteActivity(downloadPolicy(ctx, summary, j.until), a.Download, activities.DownloadInput{
			TaskID:  task.id,
			Model:   j.model(),
			Name:    j.input.Name,
			Number:  i + 1,
			URL:     url,
			Until:   j.until,
			EndedAt: completed.keptFrom,
		})
	}
	files := make([]activities.Downloaded, count)
	var failed error
	for i, download := range downloads {
		if err := download.Get(ctx, &files[i]); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		j.status.Videos = append(j.status.Videos, files[i].Video)
	}
	if failed != nil {
		return nil, j.downloadFailure(ctx, task, failed)
	}
	return files, nil
}

// writeReceipt stores the receipt. A local activity writes it within the workflow
// task; a regular activity retries it if the store does not accept it at once.
func (j *job) writeReceipt(ctx workflow.Context, task *paidTask, completed completion, files []activities.Downloaded, source *activities.KeptSource) error {
	receipt := activities.ReceiptInput{
		TaskID:         task.id,
		Model:          j.model(),
		Credits:        completed.record.Credits,
		Name:           j.input.Name,
		Prompt:         j.input.Prompt,
		VideoURL:       j.input.VideoURL,
		VideoSHA256:    j.input.VideoSHA256,
		SubmitAttempts: j.status.SubmitAttempts,
		WokenBy:        completed.wokenBy,
		SubmittedAt:    task.submittedAt,
		CompletedAt:    completed.record.CompletedAt,
		Files:          files,
		Batch:          j.input.Batch,
		Source:         source,
	}
	err := workflow.ExecuteLocalActivity(localReceiptPolicy(ctx), a.WriteReceipt, receipt).Get(ctx, nil)
	if err != nil && !temporal.IsCanceledError(err) {
		err = workflow.ExecuteActivity(receiptPolicy(ctx, j.until), a.WriteReceipt, receipt).Get(ctx, nil)
	}
	if err != nil {
		return j.downloadFailure(ctx, task, err)
	}
	return nil
}

// downloadFailure maps an error of Download or WriteReceipt to the failure of the
// job.
func (j *job) downloadFailure(ctx workflow.Context, task *paidTask, err error) error {
	if ctx.Err() != nil {
		// A cancelled download may end with any error.
		return ctx.Err()
	}
	switch errorType(err) {
	case DownloadRejected:
		return failure{
			errorType: DownloadRejected,
			taskID:    task.id,
			text:      causeText(err) + "; kie.ai keeps the video for 14 days, and collecting it when the cause is fixed costs nothing",
			next:      collectCommand(task.id),
			paidOpen:  true,
		}
	case activities.MediaGone:
		return failure{
			errorType: ResultOverdue,
			taskID:    task.id,
			text:      causeText(err),
			next:      "there is nothing left to collect; to have the video made again, submit it as a new, paid job",
		}
	default:
		return j.overdue(ctx, task.id, err)
	}
}

func videoCount(count int) string {
	if count == 1 {
		return "the video"
	}
	return fmt.Sprintf("the %d videos", count)
}
