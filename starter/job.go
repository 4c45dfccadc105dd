package starter

import (
	"lumaflow/internal/paid/runs"
	"lumaflow/workflows"
)

// Job is a job that Submit has started or found.
type Job struct {
	// Report identifies the job and holds its state: an existing one is open or has
	// completed. StartedAt is set for existing jobs.
	Report
	// Existing means that the job existed before and nothing was started.
	Existing bool
	// Again means that the job was started after an earlier run that failed and left
	// nothing paid.
	Again bool
}

// JobID derives the id of a job from its request, so that the same request is the
// same job. Another key makes another job of it. Name, recovery window and deadline
// are no part of the id, because they do not change the paid task; nor is the
// address of a video whose content is known.
func JobID(input workflows.ModifyVideoInput, key string) string {
	if input.TaskID != "" {
		return runs.JobID("adopt", input.TaskID, key)
	}
	video := input.VideoURL
	if input.VideoSHA256 != "" {
		// No valid address begins like that.
		video = "sha256:" + input.VideoSHA256
	}
	return runs.JobID("submit", input.Prompt, video, input.Watermark, key)
}
