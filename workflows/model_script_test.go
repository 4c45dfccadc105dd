package workflows_test

import (
	"fmt"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"pgregory.net/rapid"

	"lumaflow/activities"
	"lumaflow/workflows"
)

func (m *model) submissionsComeToAnything() {
	next := m.script("submissions", "refused", "accepted", "accepted", "unknown", "held", "held on", "refused", "expired", "died", "died refused", "died sending", "died sending", "died telling", "died accepted")
	// Callbacks may come before the answer to the submission does. What may be
	// cancelled is quick: the test environment has a cancelled activity forget
	// what it sent, which the real one does not.
	latency := time.Duration(rapid.SampledFrom([]int{0, 0, 30, 120}).Draw(m.r, "latency")) * time.Second
	if m.allowed > 1 || m.cancelled {
		latency = 0
	}
	m.OnActivity(a.Submit, anything, anything).After(latency).Return(func(_ ctx, in activities.SubmitInput) (activities.Submitted, error) {
		m.submissions++
		m.mu.Lock()
		proven := before(m.provenAt, m.Now())
		m.mu.Unlock()
		require.Zero(m.r, proven, "nothing is paid again once a worker has told of the task")
		taskID := ourTask
		if m.charged > 0 {
			taskID = fmt.Sprintf("%032d", m.charged)
		}
		outcome := next()
		switch outcome {
		case "accepted":
			m.charged++
			m.known = taskID
			return m.accepted(taskID)(in)
		case "unknown":
			m.charged++
			m.doubtful++
			return m.unknown()(in)
		case "held":
			return m.fails(activities.Held, activities.Hold{Code: 402, Reason: "no credit", Attempts: in.Attempts + 1, Until: m.Now()})(in)
		case "held on":
			return activities.Submitted{}, temporal.NewApplicationErrorWithOptions("no credit", activities.Held,
				temporal.ApplicationErrorOptions{NextRetryDelay: 10 * time.Minute})
		case "refused":
			return m.fails(activities.SubmitRefused, m.evidence(activities.PhaseRefused, ""))(in)
		case "expired":
			return m.fails(activities.VideoExpired, m.evidence(activities.PhaseRefused, ""))(in)
		case "died refused":
			return m.dies(enumspb.TIMEOUT_TYPE_START_TO_CLOSE, m.evidence(activities.PhaseRefused, ""))(in)
		case "died sending", "died telling":
			m.charged++
			m.doubtful++
			evidence := m.evidence(activities.PhaseSending, "")
			// Each attempt has a moment of its own.
			evidence.At = evidence.At.Add(time.Duration(m.submissions))
			late := evidence
			late.TaskID = taskID
			m.mu.Lock()
			defer m.mu.Unlock()
			if outcome == "died telling" && m.submissions == 1 {
				// The word is there, behind one about another attempt, when the job
				// learns that its worker died.
				m.tellsOfOthers(late)
				m.tells(late, activities.PhaseAccepted)
			} else {
				m.dead = append(m.dead, late)
			}
			return m.dies(enumspb.TIMEOUT_TYPE_HEARTBEAT, evidence)(in)
		case "died accepted":
			m.charged++
			m.known = taskID
			return m.dies(enumspb.TIMEOUT_TYPE_HEARTBEAT, m.evidence(activities.PhaseAccepted, taskID))(in)
		default:
			return m.dies(enumspb.TIMEOUT_TYPE_HEARTBEAT)(in)
		}
	})
	// Several tasks are looked up at once; each has a script of its own, or a
	// failure would depend on which comes first.
	looks := map[string]func() string{}
	for _, task := range []string{ourTask, strayTask, otherTask} {
		looks[task] = m.script("looks", "answered", "answered", "answered", "timed out", "down")
	}
	m.OnActivity(a.Identify, anything, anything).Return(func(_ ctx, in activities.IdentifyInput) (activities.Identified, error) {
		look := "answered"
		if next, known := looks[in.TaskID]; known {
			look = next()
		}
		switch {
		case look == "timed out":
			return activities.Identified{}, temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_START_TO_CLOSE, nil)
		case look == "down":
			return activities.Identified{}, temporal.NewApplicationError("down", activities.ProviderUnavailable)
		case in.TaskID == ourTask, !in.Own && in.TaskID == strayTask:
			return activities.Identified{TaskID: in.TaskID, CreatedAt: m.Now(), Settings: withCallbacks}, nil
		case in.Own:
			return activities.Identified{}, foreign()
		default:
			return activities.Identified{}, temporal.NewNonRetryableApplicationError("no record", activities.UnknownTask, nil)
		}
	})
}

func (m *model) recordSaysAnything() {
	next := m.script("records", "finished", "finished", "finished", "pending", "failed", "overdue", "timed out", "out of reach")
	m.OnActivity(a.Poll, anything, anything).Return(func(_ ctx, in activities.PollInput) (activities.Finished, error) {
		m.known = in.TaskID
		require.NotContains(m.r, in.CallbackURLs, deniedURL, "a callback of a failure promises nothing")
		switch next() {
		case "timed out":
			return activities.Finished{}, temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_START_TO_CLOSE, nil)
		case "out of reach":
			if len(in.CallbackURLs) > 0 {
				m.trusts = true
				return activities.Finished{TaskID: in.TaskID, ResultURLs: in.CallbackURLs, Polls: 12}, nil
			}
			return activities.Finished{}, temporal.NewApplicationErrorWithOptions("down", activities.ProviderUnavailable,
				temporal.ApplicationErrorOptions{NextRetryDelay: pollInterval})
		case "finished":
			return finished(in.TaskID, 1), nil
		case "failed":
			return activities.Finished{}, temporal.NewNonRetryableApplicationError("moderated", activities.GenerationFailed, nil, 1)
		case "overdue":
			return activities.Finished{}, temporal.NewNonRetryableApplicationError("too late", activities.ResultOverdue, nil, 1)
		default:
			return activities.Finished{}, temporal.NewApplicationErrorWithOptions("running", activities.Pending,
				temporal.ApplicationErrorOptions{NextRetryDelay: pollInterval})
		}
	})
}

func (m *model) downloadsMayFail() {
	next := m.script("downloads", "stored", "stored", "stored", "stored", "rejected", "timed out")
	m.OnActivity(a.Download, anything, anything).Return(func(_ ctx, in activities.DownloadInput) (activities.Downloaded, error) {
		if in.URL != resultURL {
			require.True(m.r, m.trusts && in.URL == promisedURL, "no URL of a callback is fetched: %s", in.URL)
		}
		switch next() {
		case "rejected":
			return activities.Downloaded{}, temporal.NewNonRetryableApplicationError("html", activities.DownloadRejected, nil)
		case "timed out":
			return activities.Downloaded{}, temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_HEARTBEAT, nil)
		}
		return downloaded(in), nil
	})
	m.OnActivity(a.WriteReceipt, anything, anything).Return(nil)
}

func (m *model) callbacksComeAtAnyTime() {
	for range rapid.IntRange(0, 6).Draw(m.r, "callbacks") {
		callback := workflows.Callback{
			TaskID:     rapid.SampledFrom([]string{ourTask, ourTask, strayTask, otherTask, ""}).Draw(m.r, "task"),
			Code:       rapid.SampledFrom([]int{200, 500, 501, 0}).Draw(m.r, "code"),
			ResultURLs: []string{promisedURL},
		}
		if callback.Code != 200 {
			callback.ResultURLs = []string{deniedURL}
		}
		m.RegisterDelayedCallback(func() {
			if m.IsWorkflowCompleted() {
				return // the webhook would learn that the job is over
			}
			m.sent = append(m.sent, m.Now())
			m.SignalWorkflow(workflows.CallbackSignal.Name, callback)
		}, m.moment("callback"))
	}
}

// evidenceComesLate has workers that were thought dead tell what became of
// their attempt, now and then in one moment with word of one that never sent.
func (m *model) evidenceComesLate() {
	for range rapid.IntRange(0, 4).Draw(m.r, "late evidence") {
		phase := rapid.SampledFrom([]activities.Phase{activities.PhaseAccepted, activities.PhaseRefused, activities.PhaseRefused, activities.PhaseSending}).Draw(m.r, "phase")
		crowded := m.chance("with one that never sent", 3)
		m.RegisterDelayedCallback(func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			if m.IsWorkflowCompleted() || len(m.dead) == 0 {
				return
			}
			evidence := m.dead[0]
			m.dead = m.dead[1:]
			if crowded {
				m.tellsOfOthers(evidence)
			}
			m.tells(evidence, phase)
		}, m.moment("late evidence"))
	}
}

// tells is the late word of a worker.
func (m *model) tells(evidence activities.Evidence, phase activities.Phase) {
	evidence.Phase = phase
	switch phase {
	case activities.PhaseRefused:
		m.free++
		m.refusedAt = append(m.refusedAt, m.Now())
	case activities.PhaseAccepted:
		m.provenAt, m.proven = append(m.provenAt, m.Now()), append(m.proven, evidence.TaskID)
	}
	m.SignalWorkflow(workflows.EvidenceSignal.Name, evidence)
}

// tellsOfOthers is the late word of a worker about an attempt that sent nothing
// and that the job never heard of.
func (m *model) tellsOfOthers(evidence activities.Evidence) {
	evidence.At, evidence.TaskID, evidence.Phase = evidence.At.Add(-time.Hour), "", activities.PhaseRefused
	m.SignalWorkflow(workflows.EvidenceSignal.Name, evidence)
}

// somebodyWatches sees that a terminal stage is the last one.
func (m *model) somebodyWatches() {
	for range 6 {
		m.RegisterDelayedCallback(func() {
			stage := m.status().Stage
			if m.final != "" {
				require.Equal(m.r, m.final, stage, "a terminal stage is final")
			}
			if stage == workflows.StageDone || stage == workflows.StageFailed {
				m.final = stage
			}
		}, m.moment("watch")+time.Second) // by then the job has begun
	}
}

func (m *model) operatorsDecide() {
	for i := range rapid.IntRange(0, 2).Draw(m.r, "operators") {
		resolution := rapid.SampledFrom([]workflows.Resolution{
			{Action: workflows.AdoptTask, TaskID: ourTask},
			{Action: workflows.AdoptTask, TaskID: strayTask},
			{Action: workflows.AdoptTask, TaskID: otherTask},
			{Action: workflows.Resubmit},
			{Action: workflows.Resubmit},
			{Action: workflows.WriteOff},
			{Action: "nonsense"},
		}).Draw(m.r, "resolution")
		if resolution.Action == workflows.Resubmit {
			m.allowed++
		}
		if resolution.Action == workflows.AdoptTask {
			m.adoptable = append(m.adoptable, resolution.TaskID)
		}
		m.RegisterDelayedCallback(func() {
			m.UpdateWorkflow(workflows.ResolveUpdate, fmt.Sprint("operator-", i), &answer{}, resolution)
		}, m.moment("operator"))
	}
}
