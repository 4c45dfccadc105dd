package codec

import (
	"context"
	"errors"
	"strings"

	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/proto"
)

// Converters are how a Temporal client writes and reads what it stores.
type Converters struct {
	Data     converter.DataConverter
	Failures converter.FailureConverter
}

// ForClient are the converters of a client that starts jobs and looks at them.
// Reading what can't be opened is a *SealedError; a failure then says so in the
// place of its message.
func (c Codec) ForClient() Converters {
	return c.converters(c.data())
}

// ForWorker are the converters of a client that runs workflows. A workflow that
// reads what can't be opened is stopped in its task, which Temporal tries again
// until a worker has the key; for an activity it is an error like any other.
func (c Codec) ForWorker() Converters {
	return c.converters(workerData{c.data(), true})
}

func (c Codec) data() converter.DataConverter {
	return converter.NewCodecDataConverter(converter.GetDefaultDataConverter(), c)
}

func (c Codec) converters(data converter.DataConverter) Converters {
	return Converters{data, failures{
		FailureConverter: temporal.NewDefaultFailureConverter(temporal.DefaultFailureConverterOptions{
			DataConverter:          data,
			EncodeCommonAttributes: c.Seals(),
		}),
		data: data,
	}}
}

// workerData stops a workflow that can't read its history. The SDK would make an
// error of it instead and go on: the job would fail for its input, forget a
// callback, or take a failed submission for an unknown one.
type workerData struct {
	converter.DataConverter
	stops bool
}

func (d workerData) FromPayload(payload *commonpb.Payload, value any) error {
	return d.read(d.DataConverter.FromPayload(payload, value))
}

func (d workerData) FromPayloads(payloads *commonpb.Payloads, values ...any) error {
	return d.read(d.DataConverter.FromPayloads(payloads, values...))
}

// stopped begins the message of a workflow that was stopped.
const stopped = "the job waits for a worker that can read it: "

func (d workerData) read(err error) error {
	var sealed *SealedError
	if d.stops && errors.As(err, &sealed) {
		panic(stopped + sealed.Error())
	}
	return err
}

// WithWorkflowContext is called for what a workflow reads, the other two for
// what an activity does. A panic there would be a failure of the activity, and
// what it means is not known for a submission.
func (d workerData) WithWorkflowContext(workflow.Context) converter.DataConverter {
	return workerData{d.DataConverter, true}
}

// WithContext says that an activity reads.
func (d workerData) WithContext(context.Context) converter.DataConverter {
	return workerData{d.DataConverter, false}
}

// WithSerializationContext says whose payloads they are. What a workflow reads
// of an activity gets the workflow's context after this one.
func (d workerData) WithSerializationContext(of converter.SerializationContext) converter.DataConverter {
	_, activity := of.(converter.ActivitySerializationContext)
	return workerData{d.DataConverter, !activity}
}

// failures puts why a failure can't be read in the place of its message; the SDK
// would leave it at "Encoded failure".
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
		var sealed *SealedError
		if err := f.data.FromPayload(layer.GetEncodedAttributes(), &attributes); errors.As(err, &sealed) {
			layer.Message, layer.EncodedAttributes = sealed.Error(), nil
		}
	}
	return f.FailureConverter.FailureToError(failure)
}

// ErrorToFailure encrypts all failures but the one that says which key is
// missing: with the wrong key it would tell nobody.
func (f failures) ErrorToFailure(err error) *failurepb.Failure {
	if err != nil && strings.HasPrefix(err.Error(), stopped) {
		return temporal.GetDefaultFailureConverter().ErrorToFailure(err)
	}
	return f.FailureConverter.ErrorToFailure(err)
}
