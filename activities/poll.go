package activities

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"

	"lumaflow/internal/kie"
	"lumaflow/internal/telemetry/metrics"
)

const (
	// emptyGrace is how long a success without links is polled: kie.ai documents no
	// order in which it sets the flag and the links.
	emptyGrace = 10 * time.Minute
	// callbackFallback is how long record-info must have returned only errors
	// before the links of an authenticated callback are used.
	callbackFallback = 10 * time.Minute
	// QuickAsks is the number of polls at short intervals after a callback, for a
	// record that lags behind it. An end that one of them finds counts as found by
	// the callback.
	QuickAsks = 4
)

// errNoLinks is the end of a successful task without a link.
var errNoLinks = errors.New("kie.ai reports success without a video")

// PollInput is a task whose end is awaited.
type PollInput struct {
	TaskID string `json:"taskId"`
	// Model is empty for Luma Modify.
	Model string `json:"model,omitempty"`
	// Until is the job's deadline, and the time of the last poll.
	Until time.Time `json:"until"`
	// WokenByCallback means that a callback started this poll.
	WokenByCallback bool `json:"wokenByCallback,omitempty"`
	// CallbackURLs are the links in a callback of success.
	CallbackURLs []string `json:"callbackUrls,omitempty"`
}

// Finished is the provider's record of a successful task.
type Finished struct {
	TaskID      string    `json:"taskId"`
	ResultURLs  []string  `json:"resultUrls"`
	CreatedAt   time.Time `json:"createdAt"`
	CompletedAt time.Time `json:"completedAt"`
	// Polls counts the record-info requests.
	Polls int `json:"polls"`
	// Credits is the cost of the task; nil if the record has none.
	Credits *float64 `json:"credits,omitempty"`
}

// pollMemory is the heartbeat of a poll, which the next attempt reads.
type pollMemory struct {
	// Answered means that record-info has answered since the poll started.
	Answered bool `json:"answered,omitempty"`
	// EmptySince is the time at which the record first was a success without links.
	EmptySince time.Time `json:"emptySince,omitzero"`
}

// Poll reads record-info until the task has ended. Each request is an attempt of
// this one activity, so a long wait adds no history. It returns the application
// errors GenerationFailed and ResultOverdue; all other errors are retryable.
func (a *Activities) Poll(ctx context.Context, input PollInput) (Finished, error) {
	info := activity.GetInfo(ctx)
	poll := poll{options: a.options, input: input, attempt: int(info.Attempt), started: info.ScheduledTime}
	if activity.HasHeartbeatDetails(ctx) {
		// Details that can't be decoded only prolong the grace periods.
		_ = activity.GetHeartbeatDetails(ctx, &poll.memory)
	}

	record, err := a.options.Provider.Record(ctx, input.Model, input.TaskID)
	if err != nil {
		if poll.mayTrustCallback() {
			poll.countEnd(ctx, metrics.PollUnavailable)
			return Finished{TaskID: input.TaskID, ResultURLs: input.CallbackURLs, CompletedAt: poll.started, Polls: poll.attempt}, nil
		}
		countPoll(ctx, metrics.PollUnavailable)
		return Finished{}, poll.retry(ProviderUnavailable, "kie.ai gave no usable answer: "+detail(err), retryAfter(err))
	}

	switch {
	case record.State == kie.Succeeded && len(record.ResultURLs) > 0:
		poll.countEnd(ctx, metrics.PollFinished)
		return Finished{
			TaskID:      input.TaskID,
			ResultURLs:  record.ResultURLs,
			CreatedAt:   record.CreatedAt,
			CompletedAt: record.CompletedAt,
			Polls:       poll.attempt,
			Credits:     record.Credits,
		}, nil
	case record.State == kie.Failed:
		poll.countEnd(ctx, metrics.PollFailed)
		details := []any{poll.attempt}
		if record.Credits != nil {
			details = append(details, *record.Credits)
		}
		return Finished{}, permanent(GenerationFailed, failureText(record), nil, details...)
	}

	countPoll(ctx, metrics.PollPending)
	poll.memory.Answered = true
	switch since := poll.memory.EmptySince; {
	case record.State != kie.Succeeded:
		poll.memory.EmptySince = time.Time{}
	case since.IsZero():
		poll.memory.EmptySince = a.options.Now()
		warnOfDeletion(ctx, a.options.Now(), input.TaskID, record.CompletedAt, time.Time{}, missingLinks(input.TaskID, record))
	case a.options.Now().Sub(since) >= emptyGrace:
		return Finished{}, permanent(ResultOverdue, missingLinks(input.TaskID, record).Error(), nil, poll.attempt)
	}
	activity.RecordHeartbeat(ctx, poll.memory)
	message := fmt.Sprintf("kie.ai reports %s%s", record.State, flagText(record))
	if len(record.UnusableLinks) > 0 {
		message = missingLinks(input.TaskID, record).Error()
	}
	return Finished{}, poll.retry(Pending, message, 0)
}

func flagText(record kie.Record) string {
	if record.Model != "" && record.Flag < 0 {
		return ""
	}
	return fmt.Sprintf(" (flag %d)", record.Flag)
}

// missingLinks is the error of a record of success without a link that can be fetched.
func missingLinks(taskID string, record kie.Record) error {
	if len(record.UnusableLinks) == 0 {
		return errNoLinks
	}
	return fmt.Errorf("kie.ai reports success of task %s with a link that can't be used: %s", taskID, strings.Join(record.UnusableLinks, ", "))
}

// poll is one attempt.
type poll struct {
	options Options
	input   PollInput
	attempt int
	started time.Time
	memory  pollMemory
}

// mayTrustCallback reports the one exception to the rule that the record is the
// truth: it has been unreachable for long enough.
func (p poll) mayTrustCallback() bool {
	return len(p.input.CallbackURLs) > 0 && !p.memory.Answered && p.options.Now().Sub(p.started) >= callbackFallback
}

// retry returns an error for the next poll: after the interval, sooner right
// after a callback, not before minDelay, and for the last time at the deadline.
func (p poll) retry(errorType, message string, minDelay time.Duration) error {
	left := p.input.Until.Sub(p.options.Now())
	if left <= 0 {
		return permanent(ResultOverdue, "the deadline passed: "+message, nil, p.attempt)
	}
	interval := p.options.PollInterval
	delay := interval + rand.N(interval/5+1) - interval/10
	if p.input.WokenByCallback && p.attempt < QuickAsks {
		delay = min(delay, time.Second<<p.attempt)
	}
	return retryable(errorType, message, nil, min(max(delay, minDelay), left))
}

// failureText returns the reason of a failed generation, with the provider's
// code and message.
func failureText(record kie.Record) string {
	text := "kie.ai could not make the video"
	if record.State == kie.Failed && record.Flag == 2 {
		text = "kie.ai could not start the task"
	}
	if record.ErrorCode != "" {
		text += " (code " + record.ErrorCode + ")"
	}
	if record.ErrorMessage != "" {
		text += ": " + record.ErrorMessage
	}
	return text
}
