package workflows

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
	"lumaflow/workflows/signals"
)

// EvidenceSignal is one value for both ends of late evidence: a worker sends it
// when Temporal gave its attempt up before it could say what became of the
// submission. Like a heartbeat it comes from our own workers, and is believed.
var EvidenceSignal = signals.Signal[activities.Evidence]{
	Name:        activities.EvidenceSignal,
	Description: "a worker tells what became of a submission whose attempt had timed out",
}

// settledBy says whether late evidence tells what became of this submission.
func (u unknownOutcome) settledBy(evidence activities.Evidence) bool {
	settled := evidence.Phase == activities.PhaseAccepted && evidence.TaskID != "" || evidence.Phase == activities.PhaseRefused
	return settled && !evidence.At.IsZero() && evidence.At.Equal(u.evidence.At)
}

// settle takes late evidence about one of the lost submissions and returns the
// task that it brings to light, if it does.
func (j *job) settle(evidence activities.Evidence) *task {
	settled := j.lostBefore(evidence)
	if settled < 0 {
		j.another(evidence)
		return nil
	}
	j.lost = slices.Delete(j.lost, settled, settled+1)
	if evidence.Phase != activities.PhaseAccepted {
		return nil
	}
	found := j.accepted(evidence.Submitted())
	return &found
}

// settleLost takes all late evidence that has come, up to the first task that it
// brings to light.
func (j *job) settleLost() *task {
	for {
		evidence, ok := j.nextEvidence()
		if !ok {
			return nil
		}
		if found := j.settle(evidence); found != nil {
			return found
		}
	}
}

// wokenBy gives a task that was found without it the callback that came about
// it: it says that the task has ended, and may hold the only links to the videos.
func wokenBy(ctx workflow.Context, found *task, calls []Callback) *task {
	if found == nil || found.wake != nil {
		return found
	}
	for _, callback := range calls {
		if callback.TaskID == found.id && (found.wake == nil || callback.Code == 200) {
			found.wake = &callback
		}
	}
	if found.wake != nil && !hearsEachWord(ctx) {
		found.wake = nil
	}
	return found
}

// hearsEachWord is false for jobs that once heard several words at a time and
// forgot some: evidence that had come with that of another attempt, or a
// callback when evidence found the task. Those that were open when this was
// mended must replay as they went.
func hearsEachWord(ctx workflow.Context) bool {
	return workflow.GetVersion(ctx, "hear-each-word", workflow.DefaultVersion, 1) > workflow.DefaultVersion
}

// lostBefore is which lost submission late evidence is about, or -1.
func (j *job) lostBefore(evidence activities.Evidence) int {
	return slices.IndexFunc(j.lost, func(lost unknownOutcome) bool { return lost.settledBy(evidence) })
}

func (j *job) nextEvidence() (activities.Evidence, bool) {
	if len(j.told) > 0 {
		evidence := j.told[0]
		j.told = j.told[1:]
		return evidence, true
	}
	return j.evidence.TryReceive()
}

// hearOut takes what is left in the signal channels, so that the run closes
// with nothing unheard and its last words are complete.
func (j *job) hearOut() {
	for {
		callback, more := j.callbacks.TryReceive()
		if !more {
			break
		}
		j.status.Callbacks++
		j.stray(callback.TaskID)
	}
	for {
		evidence, more := j.nextEvidence()
		if !more {
			return
		}
		if settled := j.lostBefore(evidence); settled >= 0 {
			j.lost = slices.Delete(j.lost, settled, settled+1)
		}
		j.another(evidence)
	}
}

// another notes a task that this run has paid beside its own: workers tell only
// the run that they submitted for.
func (j *job) another(evidence activities.Evidence) {
	if evidence.Phase == activities.PhaseAccepted && evidence.TaskID != "" && len(j.others) < maxClaims && !slices.Contains(j.others, evidence.TaskID) {
		j.others = append(j.others, evidence.TaskID)
	}
}
