package runs

import (
	"cmp"
	"slices"
	"time"

	"lumaflow/internal/paid"
)

// maxTasks bounds the tasks of one history: callbacks can name any number.
const maxTasks = 100

// History is what the history of a run holds about its payments.
type History struct {
	// Unknown are the submissions with an unknown outcome, the oldest first; those
	// without a time come before all others.
	Unknown []Submission
	// tasks are in the order in which the history names them.
	tasks []*task
	// taskID is the last task that the run had.
	taskID string
	// previous are the runs that this one follows: the one that it was reset from,
	// and the one that it retries or continues.
	previous []string
	outcomes outcomes
	// undecrypted is the error about a payload whose key this process lacks, or that the
	// codec refuses; nil if there is none. The facts in that payload count as unknown.
	undecrypted error
	// closed is the type of the application failure that ended the run.
	closed string
	// writtenOff means that an operator gave up a submission with an unknown outcome,
	// which ends the run.
	writtenOff bool
}

// task is a task that a history names.
type task struct {
	id string
	// own means that the run adopted the task, received it as accepted or polled it.
	// Other tasks were only named, by a callback or by an unclear answer.
	own bool
	// noVideo means that the task has no video for this job: it failed, belongs to
	// another job or does not exist.
	noVideo bool
	// submittedAt and endedAt are zero if the history lacks them.
	submittedAt, endedAt time.Time
}

// Facts are the payments of the run.
func (h History) Facts() paid.Facts {
	facts := paid.Facts{WrittenOff: h.writtenOff}
	for _, t := range h.tasks {
		// A task that was only named may be that of the submission with an unknown
		// outcome.
		open := !t.noVideo && (t.own || len(h.Unknown) > 0 || h.closed == "SubmitUnknown")
		switch {
		case t.own && t.id == h.taskID:
			facts.TaskID, facts.SubmittedAt, facts.EndedAt = t.id, t.submittedAt, t.endedAt
			facts.PaidOpen = facts.PaidOpen || open
		case open:
			facts.PaidOpen = true
			facts.OtherTasks = append(facts.OtherTasks, t.id)
		}
	}
	if len(h.Unknown) > 0 {
		facts.PaidOpen = true
		if facts.TaskID == "" {
			facts.SubmittedAt = h.Unknown[len(h.Unknown)-1].At
		}
	}
	switch h.closed {
	case "GenerationFailed", "InvalidRequest", "SubmitRefused":
		facts.PaidOpen = len(h.Unknown) > 0 || len(facts.OtherTasks) > 0
	case "SubmitUnknown", "ResultOverdue", "DownloadRejected":
		// The type of the failure proves it, whatever the history lacks.
		facts.PaidOpen = true
	}
	if facts.PaidOpen && facts.TaskID != "" && h.task(facts.TaskID).noVideo {
		// Another submission is open, not that of the task.
		facts.TaskID, facts.SubmittedAt, facts.EndedAt = "", time.Time{}, time.Time{}
	}
	return facts
}

// task returns the task with an id and adds it if it is new. For an empty id, or
// beyond maxTasks, the result belongs to no run.
func (h *History) task(id string) *task {
	if i := slices.IndexFunc(h.tasks, func(t *task) bool { return t.id == id }); i >= 0 {
		return h.tasks[i]
	}
	added := &task{id: id}
	if id != "" && len(h.tasks) < maxTasks {
		h.tasks = append(h.tasks, added)
	}
	return added
}

// ownTask returns a task that belongs to the run.
func (h *History) ownTask(id string) *task {
	h.taskID = cmp.Or(id, h.taskID)
	own := h.task(id)
	own.own = true
	return own
}

// adopt adds the task that the run polls or has in its memo. Unless the run has received it as
// accepted, it is the task of a submission with an unknown outcome.
func (h *History) adopt(id string) {
	if !h.task(id).own {
		h.outcomes.assume(id)
	}
	h.ownTask(id)
}

// addProof adds late evidence, which counts as proof: the task is paid by this job.
func (h *History) addProof(late evidence) {
	switch {
	case late.Phase == phaseAccepted && late.TaskID != "":
		taskID := cmp.Or(h.taskID, late.TaskID)
		h.ownTask(late.TaskID).submittedAt = late.At
		h.taskID = taskID
	case late.Phase != phaseRefused:
		return
	}
	h.outcomes.Proofs = append(h.outcomes.Proofs, late)
}

func (h *History) addEarlier(earlier Earlier) {
	for _, t := range earlier.Tasks {
		h.ownTask(t.TaskID).submittedAt = t.SubmittedAt
	}
	h.outcomes.inherit(earlier.Unknown)
}
