package histories

import (
	"fmt"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/converter"

	"lumaflow/internal/command"
)

// Text writes a history for people, one event a line: its number, the time since
// the start, its type, and what of it tells something. The same history is
// always the same text.
func Text(history *historypb.History) string {
	text := textOf{events: map[int64]*historypb.HistoryEvent{}}
	var start time.Time
	for _, event := range history.GetEvents() {
		text.events[event.GetEventId()] = event
		at := event.GetEventTime().AsTime()
		if start.IsZero() {
			start = at
		}
		line := fmt.Sprintf("%3d %9s  %-32s %s", event.GetEventId(), after(at.Sub(start)), event.GetEventType(), text.details(event))
		text.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return text.String()
}

func after(d time.Duration) string { return fmt.Sprintf("+%.2fs", d.Seconds()) }

// textOf is a history that is being written. Later events refer to earlier ones.
type textOf struct {
	strings.Builder
	events map[int64]*historypb.HistoryEvent
}

func (t *textOf) details(event *historypb.HistoryEvent) string {
	for _, part := range []func(*historypb.HistoryEvent) []string{t.ofTheJob, t.ofWorkflowTasks, t.ofActivities, t.ofTimers, t.ofMessages, t.ofTheRest} {
		if words := part(event); words != nil {
			return sentence(words...)
		}
	}
	return ""
}

// sentence joins what there is to say to one line.
func sentence(words ...string) string {
	said := words[:0]
	for _, word := range words {
		if word = command.Plain(word); word != "" {
			said = append(said, word)
		}
	}
	return strings.Join(said, " ")
}

// summaryOf is what the Temporal UI shows for an activity or a timer.
func summaryOf(event *historypb.HistoryEvent) string {
	var summary string
	payload := event.GetUserMetadata().GetSummary()
	if payload == nil || converter.GetDefaultDataConverter().FromPayload(payload, &summary) != nil {
		return ""
	}
	return `"` + summary + `"`
}

func data(payloads *commonpb.Payloads) string {
	return strings.Join(converter.GetDefaultDataConverter().ToStrings(payloads), ", ")
}

// failureText is a failure with all its causes, without Temporal's framing: the
// activity's name is in the event before.
func failureText(failure *failurepb.Failure) string {
	if failure == nil {
		return ""
	}
	var words []string
	switch {
	case failure.GetApplicationFailureInfo() != nil:
		info := failure.GetApplicationFailureInfo()
		words = append(words, info.GetType()+":", failure.GetMessage(), data(info.GetDetails()))
		if delay := info.GetNextRetryDelay(); delay != nil {
			words = append(words, "[again in "+delay.AsDuration().String()+"]")
		}
	case failure.GetTimeoutFailureInfo() != nil:
		info := failure.GetTimeoutFailureInfo()
		words = append(words, info.GetTimeoutType().String()+" timeout")
		if left := data(info.GetLastHeartbeatDetails()); left != "" {
			words = append(words, "that left", left)
		}
	case failure.GetCanceledFailureInfo() != nil:
		words = append(words, "Canceled", data(failure.GetCanceledFailureInfo().GetDetails()))
	default:
		words = append(words, failure.GetMessage())
	}
	if failure.GetCause() != nil {
		words = append(words, "because of", failureText(failure.GetCause()))
	}
	return sentence(words...)
}
