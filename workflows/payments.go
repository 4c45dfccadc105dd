package workflows

import (
	"slices"
	"strings"

	"lumaflow/activities"
	"lumaflow/internal/paid/runs"
)

// maxCandidates bounds the task ids that a job identifies for an unknown
// submission, and those that its final text lists.
const maxCandidates = 20

// maxLookups bounds the records that a run reads because callbacks named their tasks:
// made-up ids, which the record denies, take no place from genuine ones until then.
const maxLookups = 200

// payments are what a job has paid, or may have paid, beside its own task. No
// end of the job may hide any of them.
type payments struct {
	// unknown are earlier submissions with an unknown outcome, oldest first. The job
	// has submitted again after each of them, or has yet to search for its outcome.
	unknown []unknownSubmission
	// accepted are the tasks that late evidence proves to be paid. The job's own
	// may be among them.
	accepted []string
	// candidates are the tasks that callbacks named and that the record did not
	// deny: each may belong to an unknown submission.
	candidates []string
	// named are tasks that callbacks on the job's URL named, and whose record could
	// not be read or proves nothing.
	named []string
	// collected are the tasks of accepted that another job collects.
	collected []string
	// unread means that the run has not read what the earlier runs of the job paid.
	unread bool
}

// hasUnknown reports whether the outcome of an earlier submission is unknown.
func (p *payments) hasUnknown() bool { return len(p.unknown) > 0 }

// oldestUnknown returns the first submission with an unknown outcome. One of an
// earlier run is searched before all others, one of this run after them.
func (p *payments) oldestUnknown(searched unknownSubmission) unknownSubmission {
	if p.hasUnknown() && !searched.earlierRun {
		return p.unknown[0]
	}
	return searched
}

// addUnknown adds a submission after which the job may submit again, or which it
// leaves open at its end.
func (p *payments) addUnknown(unknown unknownSubmission) {
	unknown.undecided = false
	if unknown.earlierRun {
		p.unknown = slices.Insert(p.unknown, 0, unknown)
		return
	}
	p.unknown = append(p.unknown, unknown)
}

// setEarlier replaces the unknown submissions of the earlier runs. A reset copies
// those of a run into the next one.
func (p *payments) setEarlier(earlier []unknownSubmission) {
	own := slices.DeleteFunc(p.unknown, func(known unknownSubmission) bool {
		return known.earlierRun || slices.ContainsFunc(earlier, func(unknown unknownSubmission) bool {
			return !unknown.evidence.At.IsZero() && unknown.evidence.At.Equal(known.evidence.At)
		})
	})
	p.unknown = slices.Concat(earlier, own)
}

// nextUndecided removes and returns the oldest submission that has to be searched
// for; nil if there is none.
func (p *payments) nextUndecided() error {
	next := slices.IndexFunc(p.unknown, func(unknown unknownSubmission) bool { return unknown.undecided })
	if next < 0 {
		return nil
	}
	unknown := p.unknown[next]
	p.unknown = slices.Delete(p.unknown, next, next+1)
	return unknown
}

// permitNext has the job submit again in spite of its unknown submissions.
func (p *payments) permitNext() {
	for i := range p.unknown {
		p.unknown[i].undecided = false
	}
}

// removeProven removes the unknown submission whose outcome evidence proves, and
// reports whether there was one. The job's own task has been counted as that of one of
// them already.
func (p *payments) removeProven(evidence activities.Evidence, ownTaskID string) bool {
	proven := slices.IndexFunc(p.unknown, func(unknown unknownSubmission) bool { return unknown.provenBy(evidence) })
	if proven < 0 || ownTaskID != "" && evidence.TaskID == ownTaskID {
		return false
	}
	p.unknown = slices.Delete(p.unknown, proven, proven+1)
	return true
}

// removeOldestUnknown removes the first submission with an unknown outcome.
func (p *payments) removeOldestUnknown() unknownSubmission {
	oldest := p.unknown[0]
	p.unknown = p.unknown[1:]
	return oldest
}

// addAccepted adds the task that evidence proves to be paid. Workers signal the run
// that they submitted for or, if that is over, a later run of the same job.
func (p *payments) addAccepted(evidence activities.Evidence) {
	if evidence.Phase == activities.PhaseAccepted && evidence.TaskID != "" && len(p.accepted) < maxCandidates && !slices.Contains(p.accepted, evidence.TaskID) {
		p.accepted = append(p.accepted, evidence.TaskID)
	}
}

// addCandidate adds a task other than the job's own if it may belong to an
// unknown submission.
func (p *payments) addCandidate(taskID, ownTaskID string) {
	if p.hasUnknown() && taskID != "" && taskID != ownTaskID && len(p.candidates) < maxCandidates && !slices.Contains(p.candidates, taskID) {
		p.candidates = append(p.candidates, taskID)
	}
}

func (p *payments) addNamed(taskID string) {
	if !slices.Contains(p.candidates, taskID) && !slices.Contains(p.named, taskID) {
		p.named = append(p.named, taskID)
	}
}

func (p *payments) dropCandidate(taskID string) {
	p.candidates = slices.DeleteFunc(p.candidates, func(candidate string) bool { return candidate == taskID })
}

func (p *payments) setCollected(taskID string) {
	if !slices.Contains(p.collected, taskID) {
		p.collected = append(p.collected, taskID)
	}
}

// open are the tasks beside the job's own that are paid, or may be, and that no job
// collects.
func (p *payments) open(ownTaskID string) []string {
	tasks := slices.DeleteFunc(p.acceptedBeside(ownTaskID), func(taskID string) bool { return slices.Contains(p.collected, taskID) })
	return append(append(tasks, p.candidates...), p.named...)
}

// acceptedBeside returns the tasks that are paid beside the job's own.
func (p *payments) acceptedBeside(ownTaskID string) []string {
	return slices.DeleteFunc(slices.Clone(p.accepted), func(taskID string) bool { return taskID == ownTaskID })
}

// any reports whether a task beside the job's own is paid or may be.
func (p *payments) any(ownTaskID string) bool {
	return p.unread || p.hasUnknown() || len(p.acceptedBeside(ownTaskID)) > len(p.collected)
}

// text lists the payments as sentences to append to the final text of the job.
func (p *payments) text(ownTaskID string) string {
	var text strings.Builder
	for _, taskID := range p.acceptedBeside(ownTaskID) {
		if slices.Contains(p.collected, taskID) {
			text.WriteString(". Another submission of this job was accepted, too: job " + runs.CollectorID(taskID) + " collects its task " + taskID)
			continue
		}
		text.WriteString(". Another submission of this job was accepted, too: collect it with " + collectCommand(taskID))
	}
	if p.unread {
		text.WriteString(". An earlier run of this job may have paid: look at https://kie.ai/logs; collect its task with " + collectCommand("TASKID"))
	}
	if p.hasUnknown() {
		text.WriteString(". An earlier submission of this job may be paid, too: look at https://kie.ai/logs")
		if len(p.candidates) > 0 {
			text.WriteString("; it may be one of these tasks: " + strings.Join(p.candidates, ", "))
		}
		text.WriteString("; collect it with " + collectCommand("TASKID"))
	}
	if len(p.named) > 0 {
		text.WriteString(". Callbacks of this job named other tasks, whose records prove nothing: " + strings.Join(p.named, ", ") +
			"; collect one with " + collectCommand("TASKID"))
	}
	return text.String()
}
