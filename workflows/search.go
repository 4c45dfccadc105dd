package workflows

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
)

// search is the wait for proof about one lost submission.
type search struct {
	*job
	lost unknownSubmission
	ends time.Time
	// claims are the task ids that callbacks named, in order; open are those
	// callbacks whose task the record is still being asked about.
	claims []string
	open   []Callback
	// calls are the callbacks that came, bounded as the claims are.
	calls []Callback
	// unproved counts the claims that the record could not be asked about.
	unproved int
	found    *paidTask
	// refused says that the submission is known to have created nothing.
	refused bool
	verdict string
}

// settled says that the search is over.
func (s *search) settled() bool { return s.found != nil || s.refused || s.verdict != "" }

// run ends when the task is found or known not to exist, an operator has decided
// or the recovery window is over.
func (s *search) run(ctx workflow.Context) error {
	s.windowClosed = false
	timer := workflow.NewTimerWithOptions(ctx, s.ends.Sub(workflow.Now(ctx)),
		workflow.TimerOptions{Summary: "recovery window of a submission with an unknown outcome"})

	selector := workflow.NewSelector(ctx)
	s.inbox.onCallback(ctx, selector, func(callback Callback) {
		if len(s.calls) < maxCandidates {
			s.calls = append(s.calls, callback)
		}
		s.claim(ctx, selector, callback.TaskID, &callback)
	})
	s.inbox.onEvidence(ctx, selector, func(evidence activities.Evidence) { s.hear(ctx, evidence) })
	selector.AddReceive(s.resolutions, func(channel workflow.ReceiveChannel, _ bool) {
		var decided decision
		channel.Receive(ctx, &decided)
		s.verdict = decided.action
		if decided.adopts != nil {
			s.found = s.adoptIdentified(ctx, *decided.adopts)
		}
	})
	var failed error
	selector.AddFuture(timer, func(timer workflow.Future) {
		s.windowClosed, failed = true, timer.Get(ctx, nil)
	})
	s.hearTold(ctx)
	if !s.settled() {
		s.claim(ctx, selector, s.lost.evidence.TaskID, nil)
	}
	for !s.settled() && failed == nil {
		if s.windowClosed {
			// What came before the window closed still counts.
			err := workflow.Await(ctx, func() bool {
				return selector.HasPending() || len(s.open) == 0 && workflow.AllHandlersFinished(ctx)
			})
			if err != nil {
				return err
			}
			if !selector.HasPending() {
				break
			}
		}
		selector.Select(ctx)
	}
	if !s.settled() && failed == nil && s.terms.resubmit && s.unproved == 0 {
		s.verdict = Resubmit
	}
	// Proof that is already here counts for more than the word to pay again.
	for s.verdict == Resubmit && s.found == nil && !s.refused && selector.HasPending() {
		selector.Select(ctx)
	}
	if s.found != nil {
		attachCallback(ctx, s.found, s.calls)
	}
	return failed
}

// claim has the record tell whether a task is this job's: one that a callback
// names, or an answer that was no clear acceptance.
func (s *search) claim(ctx workflow.Context, selector workflow.Selector, taskID string, wake *Callback) {
	if taskID == "" || slices.Contains(s.claims, taskID) || len(s.claims) >= maxCandidates {
		return
	}
	s.claims = append(s.claims, taskID)
	open := Callback{TaskID: taskID}
	if wake != nil {
		open = *wake
	}
	s.open = append(s.open, open)
	within := s.ends.Sub(workflow.Now(ctx))
	record := workflow.ExecuteActivity(identifyPolicy(ctx, taskID, within), a.Identify, activities.IdentifyInput{
		TaskID:    taskID,
		Own:       true,
		NotBefore: s.sentSince(ctx, s.lost),
	})
	selector.AddFuture(record, func(record workflow.Future) {
		s.open = slices.DeleteFunc(s.open, func(open Callback) bool { return open.TaskID == taskID })
		var identified activities.Identified
		if err := record.Get(ctx, &identified); err != nil {
			workflow.GetLogger(ctx).Warn("a task is not adopted", "taskId", taskID, "error", err)
			if !disproved(err) {
				s.unproved++
			}
			return
		}
		if s.found == nil {
			found := s.adoptIdentified(ctx, identified)
			found.submittedAt, found.callback = s.lost.sentAt(ctx), wake
			s.found = found
		}
	})
}

// hearTold hears what workers told while the job was submitting.
func (s *search) hearTold(ctx workflow.Context) {
	if len(s.inbox.deferredEvidence) == 0 || !processesEachSignal(ctx) {
		return
	}
	for len(s.inbox.deferredEvidence) > 0 && !s.settled() {
		evidence, _ := s.inbox.nextEvidence()
		s.hear(ctx, evidence)
	}
}

// hear takes the late word of a worker: about this submission it settles the
// search, about an earlier one it may bring a task to light.
func (s *search) hear(ctx workflow.Context, evidence activities.Evidence) {
	switch {
	case s.lost.provenBy(evidence) && evidence.Phase == activities.PhaseAccepted:
		s.found = s.accept(evidence.Submitted())
	case s.lost.provenBy(evidence):
		s.refused = true
	case processesEachSignal(ctx):
		s.foundEarlier(s.applyEvidence(evidence))
	default:
		s.inbox.deferEvidence(evidence)
		s.foundEarlier(s.applyReceivedEvidence())
	}
}

// foundEarlier ends the search with the task of an earlier submission, if there
// is one. What became of this one is then still not known.
func (s *search) foundEarlier(earlier *paidTask) {
	if earlier == nil {
		return
	}
	s.found = earlier
	s.payments.addUnknown(s.lost)
}

// disproved says that the record was read and knows no such task of this job.
func disproved(err error) bool {
	var failed *temporal.ApplicationError
	return errors.As(err, &failed) && (failed.Type() == activities.ForeignTask || failed.Type() == activities.UnknownTask)
}

func (s *search) describe() string {
	text := fmt.Sprintf("it is not known whether kie.ai accepted the submission (%s); nothing is sent again", s.lost.Error())
	if s.settings.Callbacks {
		text += fmt.Sprintf("; waiting until %s for kie.ai's callback", s.ends.UTC().Format(time.RFC3339))
	} else {
		text += fmt.Sprintf("; no callbacks are configured, so look at https://kie.ai/logs before %s", s.ends.UTC().Format(time.RFC3339))
	}
	return text + " or for: lumaflow resolve " + s.id + " --adopt TASKID, --resubmit or --write-off"
}

func (s *search) failure() error {
	what := "it is not known whether kie.ai accepted the submission (" + s.lost.Error() + ") and no proof came in " + short(s.terms.recoveryWindow)
	if len(s.claims) > 0 {
		what += "; these tasks were named, but kie.ai's record did not confirm them: " + strings.Join(s.claims, ", ")
	}
	return failure{
		errorType: SubmitUnknown,
		what:      what,
		next:      "look for the task at https://kie.ai/logs; if it is there, collect it without paying again: lumaflow submit --task-id TASKID",
	}
}
