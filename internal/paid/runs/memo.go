package runs

import (
	"cmp"
	"slices"

	workflowpb "go.temporal.io/api/workflow/v1"

	"lumaflow/internal/paid"
)

// completedFacts are the payments of a run that has stored the video of a task. Its
// memo names those that it left behind.
func completedFacts(taskID string, memo paid.Facts) paid.Facts {
	if len(memo.OtherTasks) == 0 && !memo.Unresolved {
		return paid.Facts{TaskID: taskID, Credits: memo.Credits}
	}
	memo.TaskID = taskID
	return memo
}

// LeavesPayments reports whether a completed run has paid for a task that it has not
// stored. It reads only the memo, which lists hold.
func (r Reader) LeavesPayments(completed *workflowpb.WorkflowExecutionInfo) bool {
	memo, _ := paid.FromMemo(completed.GetMemo(), r.data(completed.GetExecution().GetWorkflowId()))
	return completedFacts("", memo).PaidOpen
}

// withMemo are the payments of a run whose end holds none. The memo has the task of
// the run, the history what no memo of an open run holds: the other tasks, a
// submission with an unknown outcome, and that a task has no video.
func (h History) withMemo(memo paid.Facts) paid.Facts {
	facts := h.Facts()
	known := slices.IndexFunc(h.tasks, func(t *task) bool { return t.id == memo.TaskID })
	switch {
	case memo.TaskID == "", known >= 0 && h.tasks[known].noVideo:
	case facts.TaskID == memo.TaskID:
		facts.SubmittedAt = cmp.Or(facts.SubmittedAt, memo.SubmittedAt)
		facts.EndedAt = cmp.Or(facts.EndedAt, memo.EndedAt)
		facts.Next, facts.Credits = memo.Next, memo.Credits
	default:
		others := facts.OtherTasks
		if facts.PaidOpen && facts.TaskID != "" {
			others = append(others, facts.TaskID)
		}
		memo.OtherTasks = slices.DeleteFunc(others, func(taskID string) bool { return taskID == memo.TaskID })
		memo.PaidOpen = memo.PaidOpen || facts.PaidOpen
		memo.WrittenOff = facts.WrittenOff
		facts = memo
	}
	facts.Unresolved = facts.TaskID != "" && len(h.Unknown) > 0
	return facts
}
