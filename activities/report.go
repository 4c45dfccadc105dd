package activities

import (
	"context"
	"fmt"

	"lumaflow/internal/paid/runs"
)

// JobEndSignal is the name of the signal that carries the JobEnd of a job to its batch.
const JobEndSignal = "job-end"

// ReportInput is the end of a job and the workflow id of its batch.
type ReportInput struct {
	Batch string `json:"batch"`
	End   JobEnd `json:"end"`
}

// ReportEnd signals the end of a job to its batch, to whichever run of it is open. A
// batch that is over needs no report. A repeated report does no harm: the batch ignores
// that of a job that is not in its window.
func (a *Activities) ReportEnd(ctx context.Context, input ReportInput) error {
	err := a.options.Recorder.SignalWorkflow(ctx, input.Batch, "", JobEndSignal, input.End)
	if err != nil && !runs.NotFound(err) {
		return fmt.Errorf("report the end of %s to batch %s: %w", input.End.Job, input.Batch, err)
	}
	return nil
}
