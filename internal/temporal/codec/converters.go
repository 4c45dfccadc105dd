package codec

import (
	"context"
	"errors"
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/proto"
)

// Converters are the two converters of a Temporal client.
type Converters struct {
	Data     converter.DataConverter
	Failures converter.FailureConverter
}

// ForClient returns the converters of a client that starts and inspects jobs. A
// payload that no key decrypts is a *KeyError; for a failure, the text of that
// error replaces its message.
func (c Codec) ForClient() Converters {
	return c.converters(converter.NewCodecDataConverter(converter.GetDefaultDataConverter(), c))
}

// ForWorker returns the converters of a client that runs workflows. A payload of
// a workflow that no key decrypts fails the workflow task, which Temporal retries
// until a worker has the key; in an activity it is an ordinary error.
func (c Codec) ForWorker() Converters {
	data := converter.NewCodecDataConverter(converter.GetDefaultDataConverter(), workerCodec{c})
	return c.converters(workerData{data, true})
}

func (c Codec) converters(data converter.DataConverter) Converters {
	return Converters{data, failures{
		FailureConverter: temporal.NewDefaultFailureConverter(temporal.DefaultFailureConverterOptions{
			DataConverter:          data,
			EncodeCommonAttributes: c.Encrypts(),
		}),
		data: data,
	}}
}

// workerCodec makes a missing key a failure of the workflow task.
type workerCodec struct{ Codec }

func (c workerCodec) Decode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	decrypted, err := c.Codec.Decode(payloads)
	if err != nil {
		err = converter.NewWorkflowTaskFailureError(fmt.Errorf("the job waits for a worker that can read it: %w", err))
	}
	return decrypted, err
}

// workerData fails the workflow task for every payload that a workflow decodes.
// The SDK (1.51) does so by itself for inputs and results, but drops a signal
// that it cannot decode and returns an error for the details of a failure: the
// job would lose a callback, or take a rejected submission for an unknown one.
type workerData struct {
	converter.DataConverter
	inWorkflow bool
}

func (d workerData) FromPayload(payload *commonpb.Payload, value any) error {
	return d.decoded(d.DataConverter.FromPayload(payload, value))
}

func (d workerData) FromPayloads(payloads *commonpb.Payloads, values ...any) error {
	return d.decoded(d.DataConverter.FromPayloads(payloads, values...))
}

// decoded panics with the codec's error in a workflow: the SDK recovers it and
// fails the workflow task with it.
func (d workerData) decoded(err error) error {
	if _, missing := errors.AsType[*converter.WorkflowTaskFailureError](err); missing && d.inWorkflow {
		panic(err)
	}
	return err
}

// WithWorkflowContext is called by the SDK for the payloads that a workflow
// decodes.
func (d workerData) WithWorkflowContext(workflow.Context) converter.DataConverter {
	return workerData{d.DataConverter, true}
}

// WithContext is called by the SDK for the payloads that an activity decodes. A
// panic would fail the activity, and make the outcome of a submission unknown.
func (d workerData) WithContext(context.Context) converter.DataConverter {
	return workerData{d.DataConverter, false}
}

// WithSerializationContext is called by the SDK with the owner of a payload. For
// an activity's payload that a workflow decodes, WithWorkflowContext follows.
func (d workerData) WithSerializationContext(of converter.SerializationContext) converter.DataConverter {
	_, activity := of.(converter.ActivitySerializationContext)
	return workerData{d.DataConverter, !activity}
}

// failures replaces the message of a failure that cannot be decrypted by the
// reason; the SDK leaves it at "Encoded failure".
type failures struct {
	converter.FailureConverter
	data converter.DataConverter
}

func (f failures) FailureToError(failure *failurepb.Failure) error {
	failure = proto.Clone(failure).(*failurepb.Failure)
	for layer := failure; layer != nil; layer = layer.GetCause() {
		if layer.GetEncodedAttributes() == nil {
			continue
		}
		var attributes any
		err := f.data.FromPayload(layer.GetEncodedAttributes(), &attributes)
		if missing, ok := errors.AsType[*KeyError](err); ok {
			layer.Message, layer.EncodedAttributes = missing.Error(), nil
		}
	}
	return f.FailureConverter.FailureToError(failure)
}

// ErrorToFailure encrypts every failure except the codec's own report of a
// missing key: encrypted with the wrong key it would be unreadable. A text around
// it may hold a secret, so a wrapped report is encrypted.
func (f failures) ErrorToFailure(err error) *failurepb.Failure {
	if missing, ok := errors.AsType[*converter.WorkflowTaskFailureError](err); ok && err.Error() == missing.Error() {
		return temporal.GetDefaultFailureConverter().ErrorToFailure(temporal.NewApplicationError(missing.Error(), "MissingCodecKey"))
	}
	return f.FailureConverter.ErrorToFailure(err)
}
