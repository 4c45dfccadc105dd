package workflows_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"pgregory.net/rapid"

	"lumaflow/activities"
	"lumaflow/workflows"
)

func (m *model) scriptSubmissions() {
	next := m.script("submissions", "refused", "accepted", "accepted", "unknown", "unknown unsent", "held", "stays held", "refused", "expired",
		"died", "died refused", "died sending", "died sending", "died unsent", "died with reset heartbeats", "died with early evidence", "died accepted", "in flight")
	// Callbacks may arrive before the answer to the submission. One that may be
	// cancelled has no latency, because no event happens during it.
	m.latency = time.Duration(rapid.SampledFrom([]int{0, 0, 30, 120}).Draw(m.r, "latency")) * time.Second
	if m.allowed > 1 || m.cancelled {
		m.latency = 0
	}
	env := m.TestWorkflowEnvironment
	m.OnActivity(a.Submit, anything, anything).After(m.latency).Return(func(_ ctx, in activities.SubmitInput) (activities.Submitted, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.isOver(env) {
			return activities.Submitted{}, errTerminated // The reset was faster.
		}
		if m.isLaterRun(in) {
			return laterRun(in)
		}
		m.submissions++
		m.paidAfterProof = m.paidAfterProof || before(m.provenAt, m.Now()) > 0
		outcome := next()
		// The test environment drops an attempt in flight that is cancelled, by the job or
		// by a signal about an earlier submission. The server waits for its outcome.
		if outcome == "in flight" && (!m.terminates || m.cancelled || m.unknownOutcomes > 0) {
			outcome = "died sending"
		}
		switch outcome {
		case "accepted":
			evidence := m.charge(in)
			m.knownTask = evidence.TaskID
			m.run().accepts(evidence)
			return m.accepted(evidence.TaskID)(in)
		case "unknown", "unknown unsent":
			evidence := m.lose(in, outcome == "unknown")
			evidence.TaskID = ""
			return m.fails(activities.SubmitUnknown, evidence)(in)
		case "held":
			return m.fails(activities.Held, activities.Hold{Code: 402, Reason: "no credit", Attempts: in.Attempts + 1, Until: m.Now()})(in)
		case "stays held":
			return activities.Submitted{}, temporal.NewApplicationErrorWithOptions("no credit", activities.Held,
				temporal.ApplicationErrorOptions{NextRetryDelay: 10 * time.Minute})
		case "refused":
			return m.fails(activities.SubmitRefused, m.evidence(activities.PhaseRefused, ""))(in)
		case "expired":
			return m.fails(activities.VideoExpired, m.evidence(activities.PhaseRefused, ""))(in)
		case "died refused":
			return m.timesOut(enumspb.TIMEOUT_TYPE_START_TO_CLOSE, m.evidence(activities.PhaseRefused, ""))(in)
		case "died sending", "died unsent", "died with early evidence":
			evidence := m.lose(in, outcome != "died unsent")
			m.timedOut = append(m.timedOut, attempt{evidence, outcome != "died unsent"})
			if outcome == "died with early evidence" && m.submissions == 1 {
				// The evidence precedes the timeout, and evidence about another attempt
				// precedes it.
				m.sendUnrelatedEvidence(evidence)
				m.sendOutcome(m.timedOut[0])
				m.timedOut = nil
			}
			evidence.TaskID = ""
			return m.timesOut(enumspb.TIMEOUT_TYPE_HEARTBEAT, evidence)(in)
		case "died with reset heartbeats":
			evidence := m.lose(in, true)
			m.timedOut = append(m.timedOut, attempt{evidence, true})
			evidence.TaskID = ""
			m.signal(workflows.IntentSignal.Name, evidence)
			return m.timesOut(enumspb.TIMEOUT_TYPE_HEARTBEAT)(in)
		case "in flight":
			evidence := m.lose(in, true)
			m.timedOut = append(m.timedOut, attempt{evidence, true})
			evidence.TaskID = ""
			m.signal(workflows.IntentSignal.Name, evidence)
			m.inFlight = true
			return activities.Submitted{}, activity.ErrResultPending
		case "died accepted":
			evidence := m.charge(in)
			m.knownTask = evidence.TaskID
			m.run().accepts(evidence)
			return m.timesOut(enumspb.TIMEOUT_TYPE_HEARTBEAT, evidence)(in)
		default:
			return m.timesOut(enumspb.TIMEOUT_TYPE_HEARTBEAT)(in)
		}
	})
	// Several tasks are identified in parallel. Each has a script of its own, so that
	// the outcomes do not depend on the order of the calls.
	identifyScripts := map[string]func() string{}
	for _, task := range []string{ourTask, foreignTask, otherTask} {
		identifyScripts[task] = m.script("identify", "answered", "answered", "answered", "timed out", "down")
	}
	m.OnActivity(a.Identify, anything, anything).Return(func(_ ctx, in activities.IdentifyInput) (activities.Identified, error) {
		outcome := "answered"
		if next, known := identifyScripts[in.TaskID]; known {
			outcome = next()
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		paid := slices.Contains(m.charges, in.TaskID)
		switch {
		case outcome == "timed out":
			return activities.Identified{}, temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_START_TO_CLOSE, nil)
		case outcome == "down":
			return activities.Identified{}, temporal.NewApplicationError("down", activities.ProviderUnavailable)
		case in.Own && m.silent:
			return activities.Identified{}, unproven()
		case paid, !in.Own && in.TaskID == foreignTask:
			return activities.Identified{TaskID: in.TaskID, CreatedAt: m.Now(), Settings: withCallbacks}, nil
		case in.Own:
			return activities.Identified{}, foreignTaskError()
		default:
			return activities.Identified{}, temporal.NewNonRetryableApplicationError("no record", activities.UnknownTask, nil)
		}
	})
}

func (m *model) scriptRecords() {
	next := m.script("records", "finished", "finished", "finished", "pending", "failed", "overdue", "timed out", "out of reach")
	confirms := m.script("confirms", "nothing", "nothing", "finished")
	env := m.TestWorkflowEnvironment
	m.OnActivity(a.Confirm, anything, anything).Return(func(_ ctx, input activities.ConfirmInput) (none activities.Finished, err error) {
		taskID := input.TaskID
		m.adopts(env, taskID)
		if confirms() == "nothing" {
			return none, nil
		}
		return finished(taskID, 1), nil
	})
	m.OnActivity(a.Poll, anything, anything).Return(func(_ ctx, in activities.PollInput) (activities.Finished, error) {
		m.adopts(env, in.TaskID)
		require.NotContains(m.r, in.CallbackURLs, failureURL, "the links of a failure callback are not used")
		switch next() {
		case "timed out":
			return activities.Finished{}, temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_START_TO_CLOSE, nil)
		case "out of reach":
			if len(in.CallbackURLs) > 0 {
				m.usesCallbackURLs.Store(true)
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

func (m *model) scriptDownloads() {
	next := m.script("downloads", "stored", "stored", "stored", "stored", "rejected", "timed out")
	m.OnActivity(a.Download, anything, anything).Return(func(_ ctx, in activities.DownloadInput) (activities.Downloaded, error) {
		if in.URL != resultURL {
			require.True(m.r, m.usesCallbackURLs.Load() && in.URL == successURL, "no URL of a callback is fetched: %s", in.URL)
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

func (m *model) sendCallbacks() {
	for range rapid.IntRange(0, 6).Draw(m.r, "callbacks") {
		callback := workflows.Callback{
			TaskID:     rapid.SampledFrom([]string{ourTask, ourTask, secondTask, secondTask, foreignTask, otherTask, ""}).Draw(m.r, "task"),
			Code:       rapid.SampledFrom([]int{200, 500, 501, 0}).Draw(m.r, "code"),
			ResultURLs: []string{successURL},
		}
		if callback.Code != 200 {
			callback.ResultURLs = []string{failureURL}
		}
		m.event(func() {
			if m.IsWorkflowCompleted() {
				return // The server rejects signals to a closed run.
			}
			m.sent = append(m.sent, m.Now())
			m.signal(workflows.CallbackSignal.Name, callback)
		}, m.moment("callback"))
	}
}

// sendLateEvidence sends evidence about attempts that timed out, in some runs
// together with evidence about an attempt that sent nothing.
func (m *model) sendLateEvidence() {
	for range rapid.IntRange(0, 4).Draw(m.r, "late evidence") {
		conclusive := !m.chance("inconclusive", 4)
		withUnrelated := m.chance("with one that never sent", 3)
		m.event(func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			if m.IsWorkflowCompleted() || len(m.timedOut) == 0 {
				return
			}
			late := m.timedOut[0]
			m.timedOut = m.timedOut[1:]
			if withUnrelated {
				m.sendUnrelatedEvidence(late.evidence)
			}
			if conclusive {
				m.sendOutcome(late)
			} else {
				m.signal(workflows.EvidenceSignal.Name, late.evidence)
			}
		}, m.moment("late evidence"))
	}
}

// sendOutcome sends late evidence with the outcome of an attempt.
func (m *model) sendOutcome(late attempt) {
	evidence := late.evidence
	if late.created {
		evidence.Phase = activities.PhaseAccepted
		m.provenAt, m.proven = append(m.provenAt, m.Now()), append(m.proven, evidence.TaskID)
		m.run().accepts(evidence)
	} else {
		evidence.Phase, evidence.TaskID = activities.PhaseRefused, ""
		m.refusedAt = append(m.refusedAt, m.Now())
		m.run().proves(evidence)
	}
	m.signal(workflows.EvidenceSignal.Name, evidence)
}

// sendUnrelatedEvidence sends late evidence about an attempt that sent nothing and
// that is not one of the job's unknown submissions.
func (m *model) sendUnrelatedEvidence(evidence activities.Evidence) {
	evidence.At, evidence.TaskID, evidence.Phase = evidence.At.Add(-time.Hour), "", activities.PhaseRefused
	m.signal(workflows.EvidenceSignal.Name, evidence)
}

// watchStage checks by queries that a terminal stage does not change.
func (m *model) watchStage() {
	for range 6 {
		m.RegisterDelayedCallback(func() {
			stage := m.status().Stage
			if m.finalStage != "" {
				require.Equal(m.r, m.finalStage, stage, "a terminal stage is final")
			}
			if stage == workflows.StageDone || stage == workflows.StageFailed {
				m.finalStage = stage
			}
		}, m.moment("watch")+time.Second) // The query handler is installed by then.
	}
}

func (m *model) sendResolutions() {
	for i := range rapid.IntRange(0, 2).Draw(m.r, "operators") {
		resolution := rapid.SampledFrom([]workflows.Resolution{
			{Action: workflows.AdoptTask, TaskID: ourTask},
			{Action: workflows.AdoptTask, TaskID: foreignTask},
			{Action: workflows.AdoptTask, TaskID: otherTask},
			{Action: workflows.Resubmit},
			{Action: workflows.Resubmit},
			{Action: workflows.WriteOff},
			{Action: "nonsense"},
		}).Draw(m.r, "resolution")
		if resolution.Action == workflows.Resubmit && !m.cron {
			m.allowed++
		}
		if resolution.Action == workflows.AdoptTask {
			m.adoptable = append(m.adoptable, resolution.TaskID)
		}
		m.RegisterDelayedCallback(func() {
			m.UpdateWorkflow(workflows.ResolveUpdate, fmt.Sprint("operator-", i), &updateResult{}, resolution)
		}, m.moment("operator"))
	}
}
