package starter

import (
	"context"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"lumaflow/internal/oneline"
)

// CancelRequest is the first request to cancel a job.
type CancelRequest struct {
	// By is the person or the process that requested it, Reason the reason that was
	// given; empty if there was none. Neither is authenticated.
	By     string    `json:"by,omitempty"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
}

// String is the request in a few words, without its time.
func (c CancelRequest) String() string {
	text := "requested"
	if c.By != "" {
		text += " by " + oneline.Clean(c.By)
	}
	if c.Reason != "" {
		text += ": " + oneline.Clean(c.Reason)
	}
	return text
}

// addCancelRequest adds the request to cancel the job, as far as its history can be
// read.
func (s *Starter) addCancelRequest(ctx context.Context, report *Report) {
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	events := s.temporal.GetWorkflowHistory(ctx, report.WorkflowID, report.RunID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return
		}
		if requested := event.GetWorkflowExecutionCancelRequestedEventAttributes(); requested != nil {
			report.CancelRequest = &CancelRequest{By: requested.GetIdentity(), Reason: requested.GetCause(), At: event.GetEventTime().AsTime()}
			return
		}
	}
}
