package batches

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"
)

// progress is the answer to the query and to the updates.
func (r *batchRun) progress(ctx workflow.Context) Progress {
	phase, reason := r.phase()
	held, _ := r.held()
	progress := Progress{
		Phase: phase, Reason: reason, Manifest: r.Manifest, SHA256: r.SHA256, Counts: r.Counts, Concurrency: r.Concurrency,
		InFlight: len(r.Window), Held: held, NotStarted: r.notStarted(), StartedAt: r.StartedAt, RetryRequested: r.RetryRequested,
	}
	if count := len(r.Ends); count > 1 {
		if took := workflow.Now(ctx).Sub(r.Ends[0].At); took > 0 {
			perJob := took / time.Duration(count)
			progress.PerHour = float64(count) / took.Hours()
			if r.Stopped == "" {
				progress.Remaining = time.Duration(progress.NotStarted+progress.InFlight) * perJob
			} else {
				progress.Remaining = time.Duration(progress.InFlight) * perJob
			}
		}
	}
	return progress
}

// phase is what the batch does, and why it starts no jobs if it has any left.
func (r *batchRun) phase() (phase Phase, reason string) {
	held, heldBy := r.held()
	switch {
	case r.SHA256 == "":
		return PhaseChecking, ""
	case r.finished():
		return PhaseDone, r.Stopped
	case r.Stopped != "":
		return PhaseStopping, r.Stopped
	case r.Paused:
		return PhasePaused, "an operator paused the batch"
	case held > 0:
		return PhaseHeld, fmt.Sprintf("kie.ai holds %d jobs: %s", held, heldBy)
	default:
		return PhaseRunning, ""
	}
}

// show publishes the progress in the Temporal UI. It adds no event to the history.
func (r *batchRun) show(ctx workflow.Context) {
	progress := r.progress(ctx)
	text := fmt.Sprintf("**%s**: %d of %d done, %d failed, %d in flight (%d held), %d not started, %d charges",
		progress.Phase, progress.Done, progress.Jobs, progress.Failed, progress.InFlight, progress.Held, progress.NotStarted, progress.Charges)
	if progress.PerHour > 0 {
		text += fmt.Sprintf("; %.0f jobs an hour", progress.PerHour)
	}
	if progress.Remaining > 0 {
		text += ", about " + progress.Remaining.Round(time.Minute).String() + " left"
	}
	if progress.Reason != "" {
		text += ". " + progress.Reason
	}
	workflow.SetCurrentDetails(ctx, text)
}
