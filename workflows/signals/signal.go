// Package signals holds the signals of a job, typed at both ends. It is apart from
// package workflows, so that the webhook links neither workflows nor activities.
package signals

import (
	"context"
	"fmt"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/workflow"
)

// Signal binds a signal's name to the type of its payload: the compiler checks
// that sender and receiver agree.
type Signal[T any] struct {
	Name        string
	Description string
}

// Send delivers the signal to the open run of a workflow. A nil error means
// that Temporal has stored it.
func (s Signal[T]) Send(ctx context.Context, c client.Client, workflowID string, payload T) error {
	if err := c.SignalWorkflow(ctx, workflowID, "", s.Name, payload); err != nil {
		return fmt.Errorf("signal %s to %s: %w", s.Name, workflowID, err)
	}
	return nil
}

// Channel returns the receiving end in a workflow, whose payloads are of type T.
// It buffers the signals that arrived before the call.
func (s Signal[T]) Channel(ctx workflow.Context) workflow.ReceiveChannel {
	return workflow.GetSignalChannelWithOptions(ctx, s.Name, workflow.SignalChannelOptions{Description: s.Description})
}

// CallbackPayload is the payload of Callback. It is a hint: the job confirms it
// with record-info.
type CallbackPayload struct {
	TaskID string `json:"taskId"`
	Code   int    `json:"code"`
	Msg    string `json:"msg"`
	// ResultURLs are the links in the callback. They are fetched only if record-info
	// answers only errors for ten minutes.
	ResultURLs []string `json:"resultUrls,omitempty"`
}

// Callback is one value for both ends of the signal: the webhook sends it, the
// workflow receives it.
var Callback = Signal[CallbackPayload]{
	Name:        "callback",
	Description: "kie.ai reports that a task has ended; the job confirms it with record-info",
}
