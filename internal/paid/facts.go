// Package paid holds the facts of a job's payments as data: the memo of an open
// run and the detail of a failure. Both survive the run, so that later runs of the
// job, its clients and late proof find what was paid.
package paid

import (
	"cmp"
	"slices"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
)

// MemoKey is the memo field of a job that holds its Facts. A run sets it before a
// paid request is sent and when it has a task.
const MemoKey = "lumaTask"

// Facts are the payments of one run as far as the run has them on record. The zero
// value means that nothing was paid.
type Facts struct {
	// TaskID is the task of the job; empty if it has none, or one with an unknown id.
	TaskID string `json:"taskId,omitempty"`
	// Model is the model of the task; empty for Luma Modify.
	Model string `json:"model,omitempty"`
	// PaidOpen means that a task is paid, or may be, and that this run has not stored
	// its video.
	PaidOpen bool `json:"paidOpen"`
	// OtherTasks are tasks beside TaskID that are paid by this job, or may be, and that
	// no job is collecting.
	OtherTasks []string `json:"otherTasks,omitempty"`
	// Unresolved means that beside TaskID a submission of the run has no known outcome:
	// a paid task with an unknown id may exist.
	Unresolved bool `json:"unresolved,omitempty"`
	// Next is the command to use next, or a sentence if there is none.
	Next string `json:"next,omitempty"`
	// WrittenOff means that an operator gave up an unknown submission.
	WrittenOff bool `json:"writtenOff,omitempty"`
	// SubmittedAt is the time at which the paid request began; zero if it is unknown.
	SubmittedAt time.Time `json:"submittedAt,omitzero"`
	// EndedAt is the end of the task in kie.ai's record; zero if it is unknown.
	EndedAt time.Time `json:"endedAt,omitzero"`
	// Credits is the cost of the task that the run has waited for, in kie.ai's record;
	// nil if that has none. kie.ai documents 0 for failed tasks.
	Credits *float64 `json:"credits,omitempty"`
}

// Equal reports whether two values hold the same facts.
func (f Facts) Equal(other Facts) bool {
	same := f.SubmittedAt.Equal(other.SubmittedAt) && f.EndedAt.Equal(other.EndedAt) && slices.Equal(f.OtherTasks, other.OtherTasks)
	same = same && f.PaidOpen == other.PaidOpen && f.Unresolved == other.Unresolved && f.WrittenOff == other.WrittenOff
	same = same && (f.Credits == nil) == (other.Credits == nil) && (f.Credits == nil || *f.Credits == *other.Credits)
	return same && f.TaskID == other.TaskID && f.Next == other.Next && f.Model == other.Model
}

// Names reports whether the facts name a task.
func (f Facts) Names(taskID string) bool {
	return taskID != "" && (f.TaskID == taskID || slices.Contains(f.OtherTasks, taskID))
}

// Unknown reports whether a paid task with an unknown id may exist.
func (f Facts) Unknown() bool { return f.Unresolved || f.PaidOpen && f.TaskID == "" }

// Tasks are the tasks that are paid, or may be; an empty id is a task with an unknown
// one.
func (f Facts) Tasks() (tasks []string) {
	if f.TaskID != "" {
		tasks = append(tasks, f.TaskID)
	}
	tasks = append(tasks, f.OtherTasks...)
	// A task that was only named may be that of the unknown submission.
	if f.Unresolved || f.Unknown() && len(tasks) == 0 {
		tasks = append(tasks, "")
	}
	return tasks
}

// Charges counts the paid submissions. One with an unknown outcome counts.
func (f Facts) Charges() int { return len(f.Tasks()) }

// CollectCommand is the command that collects a task at no cost. An empty id stands
// for one that the reader has to find.
func CollectCommand(taskID string) string {
	return "lumaflow submit --task-id " + cmp.Or(taskID, "TASKID")
}

// FromMemo returns the facts in a memo. ok is false if the memo has none that data
// decodes: that of a run of lumaflow v0.1, or one before its first paid request.
func FromMemo(memo *commonpb.Memo, data converter.DataConverter) (facts Facts, ok bool) {
	payload := memo.GetFields()[MemoKey]
	if payload == nil || data.FromPayload(payload, &facts) != nil {
		return Facts{}, false
	}
	return facts, true
}

// FromDetails returns the facts in the details of a failure or of a cancellation.
// ok is false if no detail holds any.
func FromDetails(details *commonpb.Payloads, data converter.DataConverter) (facts Facts, ok bool) {
	for _, payload := range details.GetPayloads() {
		var found *Facts
		if data.FromPayload(payload, &found) == nil && found != nil {
			return *found, true
		}
	}
	return Facts{}, false
}
