package workflows

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
)

// proofSearch waits for proof of the outcome of one unknown submission.
type proofSearch struct {
	job       *job
	unknown   unknownSubmission
	windowEnd time.Time
	selector  workflow.Selector
	// candidates are the tasks whose record is read, in order.
	candidates []*candidate
	// callbacks are the callbacks received, at most maxCandidates.
	callbacks []Callback
	timerErr  error

	// The search ends with one of these.

	// found is the task to adopt.
	found *paidTask
	// notCreated means that the submission created no task.
	notCreated bool
	// action is the decision of an operator, or of the input when the recovery
	// window ends.
	action string
}

// candidate is a task that the unknown submission may have created: a callback,
// or an answer that was no clear acceptance, named it.
type candidate struct {
	taskID string
	// callback is nil for a task that the answer named.
	callback *Callback
	state    candidateState
}

type candidateState int

const (
	candidatePending candidateState = iota
	candidateConfirmed
	// candidateDenied means that kie.ai has no such task of this job.
	candidateDenied
	// candidateUnreadable means that the record could not be read.
	candidateUnreadable
)

// ended reports whether the search has a result.
func (s *proofSearch) ended() bool { return s.found != nil || s.notCreated || s.action != "" }

// run returns when the search has a result or the recovery window is over.
func (s *proofSearch) run(ctx workflow.Context) error {
	s.addSources(ctx)
	s.applyDeferredEvidence(ctx)
	if !s.ended() {
		s.identify(ctx, s.unknown.evidence.TaskID, nil)
	}
	if err := s.await(ctx); err != nil {
		return err
	}
	if !s.ended() && s.timerErr == nil && s.job.terms.resubmit && !s.unknown.earlierRun && !s.hasCandidate(candidateUnreadable) {
		s.action = Resubmit
	}
	// Proof that has arrived prevents a second payment.
	for s.action == Resubmit && s.found == nil && !s.notCreated && s.selector.HasPending() {
		s.selector.Select(ctx)
	}
	if s.found != nil {
		attachCallback(ctx, s.found, s.callbacks)
	}
	return s.timerErr
}

// addSources adds to the selector everything that can end the search: callbacks,
// late evidence, decisions of operators and the end of the recovery window.
func (s *proofSearch) addSources(ctx workflow.Context) {
	s.job.windowClosed = false
	timer := workflow.NewTimerWithOptions(ctx, s.windowEnd.Sub(workflow.Now(ctx)),
		workflow.TimerOptions{Summary: "recovery window of a submission with an unknown outcome"})
	s.selector = workflow.NewSelector(ctx)
	s.job.callbacks.addTo(ctx, s.selector, func(callback Callback) {
		if len(s.callbacks) < maxCandidates {
			s.callbacks = append(s.callbacks, callback)
		}
		s.identify(ctx, callback.TaskID, &callback)
	})
	s.job.evidence.addTo(ctx, s.selector, func(evidence activities.Evidence) { s.applyEvidence(ctx, evidence) })
	s.selector.AddReceive(s.job.resolutions, func(channel workflow.ReceiveChannel, _ bool) {
		var decided decision
		channel.Receive(ctx, &decided)
		s.action = decided.action
		if decided.adopts != nil {
			s.found = s.job.adoptIdentified(ctx, *decided.adopts)
			s.job.remember(ctx, s.found)
		}
	})
	s.selector.AddFuture(timer, func(timer workflow.Future) {
		s.job.windowClosed, s.timerErr = true, timer.Get(ctx, nil)
	})
}

// await returns when the search has a result, or when the recovery window is over
// and everything that began before its end is processed.
func (s *proofSearch) await(ctx workflow.Context) error {
	for !s.ended() && s.timerErr == nil {
		if s.job.windowClosed {
			err := workflow.Await(ctx, func() bool {
				return s.selector.HasPending() || !s.hasCandidate(candidatePending) && workflow.AllHandlersFinished(ctx)
			})
			if err != nil {
				return err
			}
			if !s.selector.HasPending() {
				return nil
			}
		}
		s.selector.Select(ctx)
	}
	return nil
}

// identify reads the record of a task that this job may have submitted, once for
// each task.
func (s *proofSearch) identify(ctx workflow.Context, taskID string, callback *Callback) {
	known := slices.ContainsFunc(s.candidates, func(c *candidate) bool { return c.taskID == taskID })
	if taskID == "" || known || !s.hasPlace(ctx) {
		return
	}
	named := &candidate{taskID: taskID, callback: callback}
	s.candidates = append(s.candidates, named)
	within := s.windowEnd.Sub(workflow.Now(ctx))
	record := workflow.ExecuteActivity(identifyPolicy(ctx, taskID, within), a.Identify, activities.IdentifyInput{
		Model:     s.job.model(),
		TaskID:    taskID,
		Own:       true,
		NotBefore: notBefore(ctx, s.job.payments.oldestUnknown(s.unknown)),
		Prompt:    s.job.input.Prompt,
		VideoURL:  s.job.input.VideoURL,
		Ended:     callback != nil,
	})
	s.selector.AddFuture(record, func(record workflow.Future) {
		var identified activities.Identified
		if err := record.Get(ctx, &identified); err != nil {
			workflow.GetLogger(ctx).Warn("candidate task is not adopted", "taskId", taskID, "error", err)
			named.state = candidateUnreadable
			if isDenied(err) {
				named.state = candidateDenied
			}
			return
		}
		named.state = candidateConfirmed
		if s.found == nil {
			s.found = s.job.adoptIdentified(ctx, identified)
			s.found.submittedAt, s.found.callback = s.unknown.sentAt(ctx), callback
			s.job.remember(ctx, s.found)
		}
	})
}

// hasPlace reports whether the record of one more task may be read. Runs of lumaflow
// v0.1 count the denied tasks, too.
func (s *proofSearch) hasPlace(ctx workflow.Context) bool {
	if len(s.candidates) < maxCandidates {
		return true
	}
	open := 0
	for _, c := range s.candidates {
		if c.state != candidateDenied {
			open++
		}
	}
	return open < maxCandidates && len(s.candidates) < maxLookups &&
		workflow.GetVersion(ctx, "denied-candidates-leave", workflow.DefaultVersion, 1) > workflow.DefaultVersion
}

// applyDeferredEvidence processes the evidence that arrived during the
// submission.
func (s *proofSearch) applyDeferredEvidence(ctx workflow.Context) {
	received := &s.job.evidence
	if len(received.deferred) == 0 || !processesEachSignal(ctx) {
		return
	}
	for len(received.deferred) > 0 && !s.ended() {
		evidence, _ := received.next()
		s.applyEvidence(ctx, evidence)
	}
}

// applyEvidence processes late evidence. About this submission it ends the
// search; about an earlier one it may prove a task. A later run adopts each task that
// is proven to be paid: the submission that it searches for may have no time.
func (s *proofSearch) applyEvidence(ctx workflow.Context, evidence activities.Evidence) {
	switch {
	case s.unknown.provenBy(evidence) && evidence.Phase == activities.PhaseAccepted:
		s.found = s.job.accept(ctx, evidence.Submitted())
	case s.unknown.provenBy(evidence):
		s.notCreated = true
	case processesEachSignal(ctx):
		s.endWithEarlier(s.job.applyEvidence(ctx, evidence))
		s.adoptAccepted(ctx, evidence)
	default:
		s.job.evidence.deferred = append(s.job.evidence.deferred, evidence)
		s.endWithEarlier(s.job.applyReceivedEvidence(ctx))
	}
}

// endWithEarlier ends the search with the task of an earlier submission, if
// there is one. The outcome of the submission in question remains unknown.
func (s *proofSearch) endWithEarlier(earlier *paidTask) {
	if earlier == nil {
		return
	}
	s.found = earlier
	if !s.unknown.several {
		s.job.payments.addUnknown(s.unknown)
	}
}

// adoptAccepted ends the search with a task that a worker reports as accepted,
// whatever submission it is of: nothing else may be paid while the job has a task. The
// outcome of the submission in question remains unknown, unless nothing identifies it.
func (s *proofSearch) adoptAccepted(ctx workflow.Context, evidence activities.Evidence) {
	if s.ended() || evidence.Phase != activities.PhaseAccepted || evidence.TaskID == "" {
		return
	}
	if !s.unknown.earlierRun && !adoptsAnyAccepted(ctx) {
		return
	}
	accepted := s.job.accept(ctx, evidence.Submitted())
	if s.unknown.evidence.At.IsZero() {
		s.found = accepted
		return
	}
	s.endWithEarlier(accepted)
}

// adoptsAnyAccepted is false for runs of lumaflow v0.1, which only named such a task.
func adoptsAnyAccepted(ctx workflow.Context) bool {
	return workflow.GetVersion(ctx, "adopt-any-accepted", workflow.DefaultVersion, 1) > workflow.DefaultVersion
}

func (s *proofSearch) hasCandidate(state candidateState) bool {
	return slices.ContainsFunc(s.candidates, func(c *candidate) bool { return c.state == state })
}

// pendingCallbacks are the callbacks of the tasks that are not identified yet. A
// task that the answer named gets a callback with its id alone.
func (s *proofSearch) pendingCallbacks() []Callback {
	var pending []Callback
	for _, c := range s.candidates {
		switch {
		case c.state != candidatePending:
		case c.callback != nil:
			pending = append(pending, *c.callback)
		default:
			pending = append(pending, Callback{TaskID: c.taskID})
		}
	}
	return pending
}

// isDenied reports whether the record was read and has no such task of this job.
func isDenied(err error) bool {
	return errorType(err) == activities.ForeignTask || errorType(err) == activities.UnknownTask
}

// describe is the detail of the stage submit-unknown.
func (s *proofSearch) describe() string {
	text := fmt.Sprintf("it is not known whether kie.ai accepted the submission (%s); nothing is sent again", s.unknown.Error())
	until := s.windowEnd.UTC().Format(time.RFC3339)
	if s.job.settings.Callbacks {
		text += fmt.Sprintf("; waiting until %s for kie.ai's callback", until)
	} else {
		text += fmt.Sprintf("; no callbacks are configured, so look at https://kie.ai/logs before %s", until)
	}
	return text + " or for: " + s.next()
}

// next is the command of an operator in the stage submit-unknown.
func (s *proofSearch) next() string {
	return "lumaflow resolve " + s.job.id + " --adopt TASKID, --resubmit or --write-off"
}

// failure ends a job whose recovery window is over without proof.
func (s *proofSearch) failure() error {
	text := "it is not known whether kie.ai accepted the submission (" + s.unknown.Error() + ") and no proof came in " + shortDuration(s.job.terms.recoveryWindow)
	var possible []string
	if len(s.candidates) > 0 {
		var taskIDs []string
		for _, c := range s.candidates {
			taskIDs = append(taskIDs, c.taskID)
			if c.state != candidateDenied {
				possible = append(possible, c.taskID)
			}
		}
		text += "; these tasks were named, but kie.ai's record did not confirm them: " + strings.Join(taskIDs, ", ")
	}
	return failure{
		errorType: SubmitUnknown,
		text:      text + "; look for the task at https://kie.ai/logs: collecting it costs nothing",
		next:      collectCommand("TASKID"),
		paidOpen:  true,
		possible:  possible,
	}
}
