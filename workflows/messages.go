package workflows

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
)

// handleMessages installs the query and the update. Signals are received by the
// main coroutine alone: a coroutine of their own could hold one that is received
// but not processed when the job completes.
func (j *job) handleMessages(ctx workflow.Context) error {
	err := workflow.SetQueryHandlerWithOptions(ctx, StatusQuery,
		func() (Status, error) { return j.currentStatus(), nil },
		workflow.QueryHandlerOptions{Description: "stage, task id, current activity and next command"})
	if err != nil {
		return err
	}
	return workflow.SetUpdateHandlerWithOptions(ctx, ResolveUpdate, j.resolve, workflow.UpdateHandlerOptions{
		Description: "decide what becomes of a submission with an unknown outcome: adopt, resubmit or write-off",
		Validator:   j.validateResolution,
	})
}

// decision passes an accepted Resolution to the main coroutine.
type decision struct {
	action string
	// adopts is the record of the task; nil for other actions than AdoptTask.
	adopts *activities.Identified
}

// validateResolution rejects a resolution before it is written to the history.
func (j *job) validateResolution(_ workflow.Context, resolution Resolution) error {
	if resolution.unreadable != nil {
		return fmt.Errorf("job %s can't use this update: %w", j.id, resolution.unreadable)
	}
	if j.status.Stage != StageSubmitUnknown {
		return fmt.Errorf("job %s is in stage %s: there is no submission with an unknown outcome to resolve", j.id, j.status.Stage)
	}
	if j.windowClosed {
		return fmt.Errorf("the recovery window of job %s is over and the job is about to end; collect a task with: lumaflow submit --task-id TASKID", j.id)
	}
	if len(resolution.By) > maxByBytes || strings.ContainsFunc(resolution.By, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return fmt.Errorf("by must be at most %d bytes of printable text", maxByBytes)
	}
	hasTask := resolution.TaskID != ""
	switch resolution.Action {
	case AdoptTask:
		if strings.TrimSpace(resolution.TaskID) != resolution.TaskID || !hasTask || len(resolution.TaskID) > maxNameBytes {
			return fmt.Errorf("%s needs a taskId: it is blank, has blanks around it or is too long", resolution.Action)
		}
	case Resubmit, WriteOff:
		if hasTask {
			return fmt.Errorf("%s takes no taskId", resolution.Action)
		}
	default:
		return fmt.Errorf("action %.40q is unknown: use %s, %s or %s", resolution.Action, AdoptTask, Resubmit, WriteOff)
	}
	return nil
}

// resolve passes an operator's decision to the main coroutine and returns the
// status after it. A task is adopted only if kie.ai has a record of it.
func (j *job) resolve(ctx workflow.Context, resolution Resolution) (Status, error) {
	if resolution.unreadable != nil {
		// An accepted update that can't be read now: the workflow task fails until a worker
		// can read it.
		panic(resolution.unreadable)
	}
	decided := decision{action: resolution.Action}
	if resolution.Action == AdoptTask {
		var identified activities.Identified
		err := workflow.ExecuteActivity(identifyPolicy(ctx, resolution.TaskID, time.Minute), a.Identify,
			activities.IdentifyInput{TaskID: resolution.TaskID, Model: j.model(), NotAnothers: true}).Get(ctx, &identified)
		if err != nil {
			return Status{}, temporal.NewApplicationError(notAdopted(resolution.TaskID, err), InvalidRequest)
		}
		decided.adopts = &identified
	}
	if j.status.Stage != StageSubmitUnknown || !j.resolutions.SendAsync(decided) {
		return Status{}, temporal.NewApplicationError("job "+j.id+" was resolved in the meantime", InvalidRequest)
	}
	j.status.Resolved = &Resolved{Resolution: resolution, At: workflow.Now(ctx).UTC()}
	err := workflow.Await(ctx, func() bool { return j.status.Stage != StageSubmitUnknown })
	return j.currentStatus(), err
}

// notAdopted is the reason why the task of an operator is not adopted.
func notAdopted(taskID string, err error) string {
	if isDenied(err) {
		return fmt.Sprintf("task %s is not adopted: %s", taskID, causeText(err))
	}
	return fmt.Sprintf("task %s is not adopted, kie.ai's record could not be read: %s", taskID, causeText(err))
}
