package codec

import (
	"context"
	"errors"
	"fmt"
	"slices"

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

// Of returns the converters of the payloads of one job, which accept no payload that
// was encrypted for another job.
func (c Converters) Of(namespace, workflowID string) Converters {
	job := converter.WorkflowSerializationContext{Namespace: namespace, WorkflowID: workflowID}
	return Converters{
		Data:     converter.WithDataConverterSerializationContext(c.Data, job),
		Failures: converter.WithFailureConverterSerializationContext(c.Failures, job),
	}
}

// ForClient returns the converters of a client that starts and inspects jobs. A
// payload that no key decrypts is a *KeyError and one that is refused a
// *RefusedError; for a failure, the text of that error replaces its message. The
// converters of one job are those that the SDK's SerializationContext gives; without
// one they decrypt the payloads of any job.
func (c Codec) ForClient() Converters { return c.converters(data{codec: c}) }

// ForWorker returns the converters of a client that runs workflows. A payload of
// a workflow that no key decrypts, or that is refused, fails the workflow task, which
// Temporal retries until a worker accepts it; in an activity it is an ordinary error.
func (c Codec) ForWorker() Converters {
	return c.converters(data{codec: c, worker: true, inWorkflow: true})
}

func (c Codec) converters(d data) Converters { return Converters{d, failuresOf(d)} }

// WorkflowInput is implemented by the Go types of the inputs of workflows. They may
// be unencrypted, as nothing else may: with Temporal's CLI anybody who may start jobs
// starts them so.
type WorkflowInput interface{ WorkflowInput() }

// UpdateInput is implemented by pointers to the inputs of updates. Unreadable is called
// with the error of an input that a workflow can't use. The validator must reject it,
// before it is in the history. The handler must panic with err: an unreadable
// input reaches it only in a replay, which skips the validator, of an update that was
// accepted with other settings.
type UpdateInput interface{ Unreadable(err error) }

// data converts the payloads of one job.
type data struct {
	codec Codec
	of    owner
	// worker means that an error fails the workflow task. inWorkflow means that it
	// does so even where the SDK (1.51) handles it in another way: the SDK drops a
	// signal that it cannot decode and returns an error for the details of a failure,
	// so that the job would lose a callback, or take a rejected submission for an
	// unknown one.
	worker, inWorkflow bool
}

func (d data) ToPayload(value any) (*commonpb.Payload, error) {
	return d.converter().ToPayload(value)
}

func (d data) ToPayloads(values ...any) (*commonpb.Payloads, error) {
	return d.converter().ToPayloads(values...)
}

func (d data) FromPayload(payload *commonpb.Payload, value any) error {
	return d.decoded(d.converter(value).FromPayload(payload, value), value)
}

func (d data) FromPayloads(payloads *commonpb.Payloads, values ...any) error {
	return d.decoded(d.converter(values...).FromPayloads(payloads, values...), values...)
}

func (d data) ToString(payload *commonpb.Payload) string { return d.converter().ToString(payload) }

func (d data) ToStrings(payloads *commonpb.Payloads) []string {
	return d.converter().ToStrings(payloads)
}

// converter returns the SDK's converter with the codec of the job and of the values
// to decode.
func (d data) converter(values ...any) converter.DataConverter {
	return converter.NewCodecDataConverter(converter.GetDefaultDataConverter(), jobCodec{d, slices.ContainsFunc(values, isWorkflowInput)})
}

func isWorkflowInput(value any) bool {
	_, is := value.(WorkflowInput)
	return is
}

// jobCodec is the codec of one job.
type jobCodec struct {
	data
	// plaintext means that a payload may be unencrypted.
	plaintext bool
}

func (c jobCodec) Encode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	return c.codec.encrypt(payloads, c.of)
}

// Decode makes an error of a worker a failure of the workflow task.
func (c jobCodec) Decode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	decrypted, err := c.codec.decrypt(payloads, func(payload *commonpb.Payload) (*commonpb.Payload, error) {
		return c.codec.admit(payload, c.of, c.plaintext)
	})
	if err != nil && c.worker {
		err = converter.NewWorkflowTaskFailureError(fmt.Errorf("the job waits for a worker that can read it: %w", err))
	}
	return decrypted, err
}

// decoded panics with the codec's error in a workflow: the SDK recovers it and
// fails the workflow task with it. The validator of an update decides (UpdateInput).
func (d data) decoded(err error, values ...any) error {
	_, unusable := errors.AsType[*converter.WorkflowTaskFailureError](err)
	if !unusable || !d.inWorkflow {
		return err
	}
	for _, value := range values {
		if update, ok := value.(UpdateInput); ok {
			update.Unreadable(err)
			return nil
		}
	}
	panic(err)
}

// WithWorkflowContext is called by the SDK for the payloads that a workflow
// decodes.
func (d data) WithWorkflowContext(workflow.Context) converter.DataConverter {
	d.inWorkflow = d.worker
	return d
}

// WithContext is called by the SDK for the payloads that an activity decodes. A
// panic would fail the activity, and make the outcome of a submission unknown.
func (d data) WithContext(context.Context) converter.DataConverter {
	d.inWorkflow = false
	return d
}

// WithSerializationContext is called by the SDK with the job of a payload. For
// an activity's payload that a workflow decodes, WithWorkflowContext follows.
func (d data) WithSerializationContext(of converter.SerializationContext) converter.DataConverter {
	_, activity := of.(converter.ActivitySerializationContext)
	d.of, d.inWorkflow = ownerOf(of), d.worker && !activity
	return d
}

// failures replaces the message of a failure that cannot be decrypted by the
// reason; the SDK leaves it at "Encoded failure".
type failures struct {
	converter.FailureConverter
	data data
}

func failuresOf(d data) failures {
	return failures{
		FailureConverter: temporal.NewDefaultFailureConverter(temporal.DefaultFailureConverterOptions{
			DataConverter:          d,
			EncodeCommonAttributes: d.codec.Encrypts(),
		}),
		data: d,
	}
}

// WithSerializationContext is called by the SDK with the job of a failure. A workflow
// decodes the failures of its activities, too, with the context of the activity.
func (f failures) WithSerializationContext(of converter.SerializationContext) converter.FailureConverter {
	f.data.of = ownerOf(of)
	return failuresOf(f.data)
}

func (f failures) FailureToError(failure *failurepb.Failure) error {
	failure = proto.Clone(failure).(*failurepb.Failure)
	for layer := failure; layer != nil; layer = layer.GetCause() {
		if layer.GetEncodedAttributes() == nil {
			continue
		}
		var attributes any
		err := f.data.FromPayload(layer.GetEncodedAttributes(), &attributes)
		if unreadable := Unreadable(err); unreadable != nil {
			layer.Message, layer.EncodedAttributes = unreadable.Error(), nil
		}
	}
	return f.FailureConverter.FailureToError(failure)
}

// ErrorToFailure encrypts every failure except the codec's own reports: that of a
// missing key would be unreadable with the wrong key, that of a refusal for a person
// without keys. A text around the former may hold a secret, so a wrapped report is
// encrypted; that around the latter is dropped.
func (f failures) ErrorToFailure(err error) *failurepb.Failure {
	plain := temporal.GetDefaultFailureConverter()
	if missing, ok := errors.AsType[*converter.WorkflowTaskFailureError](err); ok && err.Error() == missing.Error() {
		return plain.ErrorToFailure(temporal.NewApplicationError(missing.Error(), "MissingCodecKey"))
	}
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		return plain.ErrorToFailure(temporal.NewApplicationError(refused.Error(), "RefusedPayload"))
	}
	return f.FailureConverter.ErrorToFailure(err)
}
