package workflows

import "lumaflow/internal/paid/runs"

// Summary is the line that identifies a job in the Temporal UI: the beginning of the
// prompt, or the task to collect.
func (in ModifyVideoInput) Summary() string {
	text := in.Prompt
	if in.TaskID != "" {
		text = "collect task " + in.TaskID
	}
	// encoding/json is deterministic.
	//workflowcheck:ignore
	return runs.Summary(text)
}
