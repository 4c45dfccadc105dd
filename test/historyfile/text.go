package historyfile

import (
	"fmt"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/converter"

	"lumaflow/internal/oneline"
)

// Text renders a history with one line for each event: its number, the time since
// the start, its type and its main attributes. The text depends on the history
// alone.
func Text(history *historypb.History) string {
	r := renderer{events: map[int64]*historypb.HistoryEvent{}}
	var text strings.Builder
	var start time.Time
	for _, event := range history.GetEvents() {
		r.events[event.GetEventId()] = event
		at := event.GetEventTime().AsTime()
		if start.IsZero() {
			start = at
		}
		line := fmt.Sprintf("%3d %9s  %-32s %s", event.GetEventId(), after(at.Sub(start)), event.GetEventType(), r.details(event))
		text.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return text.String()
}

func after(d time.Duration) string { return fmt.Sprintf("+%.2fs", d.Seconds()) }

// renderer holds the events by id: later events refer to earlier ones.
type renderer struct {
	events map[int64]*historypb.HistoryEvent
}

func (r renderer) details(event *historypb.HistoryEvent) string {
	for _, part := range []func(*historypb.HistoryEvent) []string{
		workflowDetails, workflowTaskDetails, r.activityDetails, r.timerDetails, messageDetails, otherDetails,
	} {
		if words := part(event); words != nil {
			return sentence(words...)
		}
	}
	return ""
}

// sentence joins the words that are not blank to one line.
func sentence(words ...string) string {
	kept := words[:0]
	for _, word := range words {
		if word = oneline.Clean(word); word != "" {
			kept = append(kept, word)
		}
	}
	return strings.Join(kept, " ")
}

// summaryOf is the summary of an activity or a timer in the Temporal UI.
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

// failureText renders a failure and its causes without the wrapping of the SDK,
// which repeats the activity type.
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
