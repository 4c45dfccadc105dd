package activities

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"go.temporal.io/sdk/activity"

	"lumaflow/internal/kie"
	"lumaflow/internal/telemetry/metrics"
)

const (
	// emptyGrace is how long a success without links is asked again: kie.ai
	// sets the flag and the links in no documented order.
	emptyGrace = 10 * time.Minute
	// callbackFallback is how long record-info must have answered only errors
	// before the links of an authenticated callback are used.
	callbackFallback = 10 * time.Minute
	// QuickAsks is how many polls follow a callback at short intervals, for a
	// record that lags behind it. An end found by one of them was found by the
	// callback.
	QuickAsks = 4
)

// errNoLinks is a task that ended well and has nothing to download.
var errNoLinks = errors.New("kie.ai says success but gives no video")

// PollInput asks for the end of a task.
type PollInput struct {
	TaskID string `json:"taskId"`
	// Until is the job's deadline; the last poll is made when it passes.
	Until time.Time `json:"until"`
	// WokenByCallback says that a callback started this poll.
	WokenByCallback bool `json:"wokenByCallback,omitempty"`
	// CallbackURLs are the links that a callback of success promised.
	CallbackURLs []string `json:"callbackUrls,omitempty"`
}

// Finished is a task that ended well, as the provider's record has it.
type Finished struct {
	TaskID      string    `json:"taskId"`
	ResultURLs  []string  `json:"resultUrls"`
	CreatedAt   time.Time `json:"createdAt"`
	CompletedAt time.Time `json:"completedAt"`
	// Polls counts the record-info requests it took.
	Polls int `json:"polls"`
}

// pollMemory is what one poll leaves for the next.
type pollMemory struct {
	// Answered says that record-info has answered since the poll started.
	Answered bool `json:"answered,omitempty"`
	// EmptySince is when the record first said success without links.
	EmptySince time.Time `json:"emptySince,omitzero"`
}

// Poll asks record-info until the task has ended. Each request is an attempt
// of this one activity, so a long wait adds no history. It returns the
// application errors GenerationFailed and ResultOverdue; anything else is
// retried.
func (a *Activities) Poll(ctx context.Context, input PollInput) (Finished, error) {
	info := activity.GetInfo(ctx)
	poll := poll{Activities: a, input: input, attempt: int(info.Attempt), started: info.ScheduledTime}
	if activity.HasHeartbeatDetails(ctx) {
		// Details that can't be read only make the graces longer.
		_ = activity.GetHeartbeatDetails(ctx, &poll.memory)
	}

	record, err := a.Provider.Record(ctx, input.TaskID)
	if err != nil {
		if poll.mayTrustCallback() {
			poll.countEnd(ctx, metrics.PollUnavailable)
			return Finished{TaskID: input.TaskID, ResultURLs: input.CallbackURLs, CompletedAt: poll.started, Polls: poll.attempt}, nil
		}
		countPoll(ctx, metrics.PollUnavailable)
		return Finished{}, poll.again(ProviderUnavailable, "kie.ai gave no usable answer: "+inWords(err), askedDelay(err))
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
		}, nil
	case record.State == kie.Failed:
		poll.countEnd(ctx, metrics.PollFailed)
		return Finished{}, final(GenerationFailed, failureText(record), nil, poll.attempt)
	}

	countPoll(ctx, metrics.PollPending)
	poll.memory.Answered = true
	switch since := poll.memory.EmptySince; {
	case record.State != kie.Succeeded:
		poll.memory.EmptySince = time.Time{}
	case since.IsZero():
		poll.memory.EmptySince = a.Now()
		a.warnOfDeletion(ctx, input.TaskID, record.CompletedAt, time.Time{}, errNoLinks)
	case a.Now().Sub(since) >= emptyGrace:
		return Finished{}, final(ResultOverdue, errNoLinks.Error(), nil, poll.attempt)
	}
	activity.RecordHeartbeat(ctx, poll.memory)
	return Finished{}, poll.again(Pending, fmt.Sprintf("kie.ai says %s (flag %d)", record.State, record.Flag), 0)
}

// poll is one attempt at asking for the end of a task.
type poll struct {
	*Activities
	input   PollInput
	attempt int
	started time.Time
	memory  pollMemory
}

// mayTrustCallback is the one exception to the rule that the record is the
// truth: it has been out of reach for long enough.
func (p poll) mayTrustCallback() bool {
	return len(p.input.CallbackURLs) > 0 && !p.memory.Answered && p.Now().Sub(p.started) >= callbackFallback
}

// again has the server ask once more: after the interval, sooner right after a
// callback, and at the deadline for the last time.
func (p poll) again(errorType, message string, asked time.Duration) error {
	left := p.input.Until.Sub(p.Now())
	if left <= 0 {
		return final(ResultOverdue, "the deadline passed: "+message, nil, p.attempt)
	}
	after := p.PollInterval + rand.N(p.PollInterval/5+1) - p.PollInterval/10
	if p.input.WokenByCallback && p.attempt < QuickAsks {
		after = min(after, time.Second<<p.attempt)
	}
	after = max(after, asked)
	return retry(errorType, message, nil, min(after, left))
}

// failureText is why a generation failed, with the provider's own words.
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
