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

// maxClaims bounds how many different task ids are looked up for one lost
// submission.
const maxClaims = 20

// recover looks for proof of what became of a submission whose answer was lost:
// a callback on this job's own URL, confirmed by the provider's record, or an
// operator's word. It answers with the adopted task, or with again if the job
// may submit once more.
func (j *job) recover(ctx workflow.Context, lost unknownOutcome) (adopted task, again bool, err error) {
	search := search{job: j, lost: lost, ends: lost.at(ctx).Add(j.recoveryWindow)}
	j.enter(ctx, StageSubmitUnknown, search.describe())
	ctx, stop := workflow.WithCancel(ctx)
	defer stop()
	if err := search.run(ctx); err != nil {
		return task{}, false, err
	}
	switch {
	case search.found != nil:
		return *search.found, false, nil
	case search.verdict == Resubmit:
		j.lost = append(j.lost, lost)
		// The new submission has its own time to be accepted in.
		j.until = workflow.Now(ctx).Add(j.deadline)
		return task{}, true, nil
	case search.verdict == WriteOff:
		return task{}, false, failure{
			errorType: SubmitUnknown,
			what:      "the operator wrote off a submission with an unknown outcome (" + lost.Error() + ")",
			next:      "if the task turns up at https://kie.ai/logs: lumaflow submit --task-id TASKID",
		}
	default:
		return task{}, false, search.failure()
	}
}

// search is the wait for proof about one lost submission.
type search struct {
	*job
	lost unknownOutcome
	ends time.Time
	// claims are the task ids that callbacks named, in order; open counts those
	// that the record is still being asked about.
	claims []string
	open   int
	// unproved counts the claims that the record could not be asked about.
	unproved int
	found    *task
	verdict  string
}

// run ends when the task is found, an operator has decided or the recovery
// window is over.
func (s *search) run(ctx workflow.Context) error {
	over := false
	timer := workflow.NewTimerWithOptions(ctx, s.ends.Sub(workflow.Now(ctx)),
		workflow.TimerOptions{Summary: "recovery window of a submission with an unknown outcome"})

	selector := workflow.NewSelector(ctx)
	s.callbacks.AddTo(ctx, selector, func(callback Callback) {
		s.status.Callbacks++
		s.claim(ctx, selector, callback.TaskID, &callback)
	})
	selector.AddReceive(s.resolutions, func(channel workflow.ReceiveChannel, _ bool) {
		var decided decision
		channel.Receive(ctx, &decided)
		s.verdict = decided.action
		if decided.adopts != nil {
			found := s.adoptIdentified(ctx, *decided.adopts)
			s.found = &found
		}
	})
	var failed error
	selector.AddFuture(timer, func(timer workflow.Future) {
		over, failed = true, timer.Get(ctx, nil)
	})
	s.claim(ctx, selector, s.lost.evidence.TaskID, nil)
	for s.found == nil && s.verdict == "" && failed == nil {
		if over {
			// What came before the window closed still counts.
			err := workflow.Await(ctx, func() bool {
				return selector.HasPending() || s.open == 0 && workflow.AllHandlersFinished(ctx)
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
	if s.found == nil && s.verdict == "" && failed == nil && s.resubmit && s.unproved == 0 {
		s.verdict = Resubmit
	}
	return failed
}

// claim has the record tell whether a task is this job's: one that a callback
// names, or an answer that was no clear acceptance.
func (s *search) claim(ctx workflow.Context, selector workflow.Selector, taskID string, wake *Callback) {
	if taskID == "" || slices.Contains(s.claims, taskID) || len(s.claims) >= maxClaims {
		return
	}
	s.claims = append(s.claims, taskID)
	s.open++
	within := s.ends.Sub(workflow.Now(ctx))
	record := workflow.ExecuteActivity(identification(ctx, taskID, within), a.Identify, activities.IdentifyInput{
		TaskID:    taskID,
		Own:       true,
		NotBefore: s.sentSince(ctx, s.lost),
	})
	selector.AddFuture(record, func(record workflow.Future) {
		s.open--
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
			found.submittedAt, found.wake = s.lost.at(ctx), wake
			s.found = &found
		}
	})
}

// clockSkew is how far the clocks of kie.ai and of the workers may be apart.
const clockSkew = 15 * time.Minute

// sentSince is the time before which no submission of this run was made. An
// earlier run of the same job had the same callback URL, and its tasks are not
// this run's.
func (j *job) sentSince(ctx workflow.Context, lost unknownOutcome) time.Time {
	if len(j.lost) > 0 {
		lost = j.lost[0]
	}
	return lost.at(ctx).Add(-clockSkew)
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
	what := "it is not known whether kie.ai accepted the submission (" + s.lost.Error() + ") and no proof came in " + short(s.recoveryWindow)
	if len(s.claims) > 0 {
		what += "; these tasks were named, but kie.ai's record did not confirm them: " + strings.Join(s.claims, ", ")
	}
	return failure{
		errorType: SubmitUnknown,
		what:      what,
		next:      "look for the task at https://kie.ai/logs; if it is there, collect it without paying again: lumaflow submit --task-id TASKID",
	}
}

// lateProof looks, before anything is paid again, whether a callback has brought
// the task of an earlier submission after all.
func (j *job) lateProof(ctx workflow.Context) (*task, error) {
	if len(j.lost) == 0 {
		return nil, nil
	}
	for {
		callback, ok := j.nextClaim()
		if !ok {
			return nil, nil
		}
		if callback.TaskID == "" {
			continue
		}
		var identified activities.Identified
		err := workflow.ExecuteActivity(identification(ctx, callback.TaskID, 0), a.Identify, activities.IdentifyInput{
			TaskID:    callback.TaskID,
			Own:       true,
			NotBefore: j.sentSince(ctx, j.lost[0]),
		}).Get(ctx, &identified)
		switch {
		case err == nil:
			found := j.adoptIdentified(ctx, identified)
			found.submittedAt, found.wake = j.lost[0].at(ctx), &callback
			// The lost submission is found.
			j.lost = j.lost[1:]
			return &found, nil
		case temporal.IsCanceledError(err):
			return nil, err
		case !disproved(err):
			j.stray(callback, "")
		}
	}
}

func (j *job) nextClaim() (Callback, bool) {
	if len(j.claims) > 0 {
		callback := j.claims[0]
		j.claims = j.claims[1:]
		return callback, true
	}
	callback, ok := j.callbacks.TryReceive()
	if ok {
		j.status.Callbacks++
	}
	return callback, ok
}

// adopt takes over the task that the input names.
func (j *job) adopt(ctx workflow.Context, taskID string) (task, error) {
	j.status.TaskID = taskID
	j.enter(ctx, StageWaiting, "asking kie.ai about task "+taskID)
	var identified activities.Identified
	err := workflow.ExecuteActivity(identification(ctx, taskID, j.deadline), a.Identify,
		activities.IdentifyInput{TaskID: taskID}).Get(ctx, &identified)
	var failed *temporal.ApplicationError
	switch {
	case err == nil:
		return j.adoptIdentified(ctx, identified), nil
	case temporal.IsCanceledError(err):
		return task{}, err
	case errors.As(err, &failed) && failed.Type() == activities.UnknownTask:
		return task{}, failure{
			errorType: InvalidRequest,
			what:      failed.Message(),
			next:      "check the id at https://kie.ai/logs and that KIE_API_KEY belongs to the account that submitted it",
		}
	default:
		return task{}, j.overdue(taskID, err)
	}
}

func (j *job) adoptIdentified(ctx workflow.Context, identified activities.Identified) task {
	j.learn(identified.Settings)
	j.status.TaskID = identified.TaskID
	j.until = workflow.Now(ctx).Add(j.deadline)
	adopted := task{
		id:          identified.TaskID,
		submittedAt: identified.CreatedAt,
		prompt:      identified.Prompt,
		videoURL:    identified.VideoURL,
		adopted:     true,
	}
	if j.input.TaskID == "" {
		adopted.prompt, adopted.videoURL = j.input.Prompt, j.input.VideoURL
	}
	return adopted
}
