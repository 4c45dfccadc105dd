package codec

import (
	"context"
	"fmt"
	"slices"

	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/proxy"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/converter"
)

// DecodeHistory decrypts all payloads of a run's history in place and restores the
// texts of its failures. It refuses the payloads that a worker refuses. The server's own
// detail of a canceled activity and search attributes are never encrypted; headers,
// memos and summaries, which a workflow does not decode, may be.
func (c Codec) DecodeHistory(ctx context.Context, job converter.WorkflowSerializationContext, history *historypb.History) error {
	for _, event := range history.GetEvents() {
		if err := c.decodeEvent(ctx, eventOwner(job, event), event); err != nil {
			return err
		}
	}
	return proxy.VisitFailures(ctx, history, proxy.VisitFailuresOptions{
		Visitor: func(_ *proxy.VisitFailuresContext, failure *failurepb.Failure) error {
			converter.DecodeCommonFailureAttributes(converter.GetDefaultDataConverter(), failure)
			failure.EncodedAttributes = nil
			return nil
		},
	})
}

func (c Codec) decodeEvent(ctx context.Context, of owner, event *historypb.HistoryEvent) error {
	input := event.GetWorkflowExecutionStartedEventAttributes().GetInput()
	canceled := event.GetActivityTaskCanceledEventAttributes().GetDetails()
	return proxy.VisitPayloads(ctx, event, proxy.VisitPayloadsOptions{
		Visitor: func(visit *proxy.VisitPayloadsContext, payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
			undecoded, of := false, of
			switch visit.Parent.(type) {
			case *commonpb.Header, *commonpb.Memo, *sdkpb.UserMetadata:
				// The SDK encodes the memo and the summary of a child for its parent.
				undecoded, of = true, owner{}
			}
			return c.decrypt(payloads, func(payload *commonpb.Payload) (*commonpb.Payload, error) {
				plaintext := undecoded || slices.Contains(input.GetPayloads(), payload) ||
					slices.Contains(canceled.GetPayloads(), payload) && string(payload.GetData()) == notStarted
				opened, err := c.admit(payload, of, plaintext)
				if err != nil || string(opened.GetMetadata()[converter.MetadataMessageType]) != payloadsType {
					return opened, err
				}
				return c.openNested(opened, of)
			})
		},
		SkipSearchAttributes: true,
	})
}

// notStarted is the detail that the server itself writes, unencrypted, for an activity
// that is canceled before a worker has started it (server 1.29 to 1.32).
const notStarted = `"ACTIVITY_ID_NOT_STARTED"`

// payloadsType is the message type of a payload that holds encrypted payloads: the
// SDK (1.51) encodes the value of a mutable side effect twice.
const payloadsType = "temporal.api.common.v1.Payloads"

func (c Codec) openNested(payload *commonpb.Payload, of owner) (*commonpb.Payload, error) {
	plain := converter.GetDefaultDataConverter()
	nested := &commonpb.Payloads{}
	if err := plain.FromPayload(payload, &nested); err != nil {
		return nil, fmt.Errorf("decode a side effect: %w", err)
	}
	var err error
	nested.Payloads, err = c.decrypt(nested.GetPayloads(), func(inner *commonpb.Payload) (*commonpb.Payload, error) {
		return c.admit(inner, of, false)
	})
	if err != nil {
		return nil, err
	}
	return plain.ToPayload(nested)
}

// eventOwner returns the job that the payloads of an event were encrypted for:
// those of a child workflow and of a signal to another job belong to that job.
func eventOwner(job converter.WorkflowSerializationContext, event *historypb.HistoryEvent) owner {
	for _, other := range []*commonpb.WorkflowExecution{
		{WorkflowId: event.GetStartChildWorkflowExecutionInitiatedEventAttributes().GetWorkflowId()},
		event.GetChildWorkflowExecutionCompletedEventAttributes().GetWorkflowExecution(),
		event.GetChildWorkflowExecutionFailedEventAttributes().GetWorkflowExecution(),
		event.GetChildWorkflowExecutionCanceledEventAttributes().GetWorkflowExecution(),
		event.GetSignalExternalWorkflowExecutionInitiatedEventAttributes().GetWorkflowExecution(),
	} {
		if other.GetWorkflowId() != "" {
			job.WorkflowID = other.GetWorkflowId()
		}
	}
	return ownerOf(job)
}
