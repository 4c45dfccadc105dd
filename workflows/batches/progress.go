package batches

import (
	"fmt"
	"slices"
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
	if count := len(r.Ends); count > 0 {
		progress.LastEndAt = r.Ends[count-1].At
	}
	if count := len(r.Ends); count > 1 {
		if took := workflow.Now(ctx).Sub(r.Ends[0].At); took > 0 {
			progress.PerHour = float64(count) / took.Hours()
			progress.Remaining = r.remaining(workflow.Now(ctx), took/time.Duration(count))
		}
	}
	return progress
}

// remaining is the time until the last job ends, if one ends every perJob.
func (r *batchRun) remaining(now time.Time, perJob time.Duration) time.Duration {
	median := r.median()
	if starts := r.notStarted() - r.Skipped; starts > 0 && r.Stopped == "" {
		return time.Duration(starts)*perJob + median
	}
	var newest time.Time
	for _, job := range r.Window {
		if job.Since.After(newest) {
			newest = job.Since
		}
	}
	if newest.IsZero() {
		return 0
	}
	return max(newest.Add(median).Sub(now), perJob)
}

// median is the time that the last jobs were in the window.
func (r *batchRun) median() time.Duration {
	times := make([]time.Duration, len(r.Ends))
	for i, end := range r.Ends {
		times[i] = end.Took
	}
	slices.Sort(times)
	return times[len(times)/2]
}

// phase is what the batch does, and why it does not start all jobs that are left.
func (r *batchRun) phase() (phase Phase, reason string) {
	held, heldBy := r.held()
	switch {
	case r.SHA256 == "":
		return PhaseChecking, ""
	case r.finished():
		return PhaseDone, r.incomplete()
	case r.Stopped != "":
		return PhaseStopping, r.Stopped
	case r.Paused:
		return PhasePaused, "an operator paused the batch"
	case held > 0:
		return PhaseHeld, fmt.Sprintf("kie.ai holds %d jobs: %s", held, heldBy)
	default:
		return PhaseRunning, r.incomplete()
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
