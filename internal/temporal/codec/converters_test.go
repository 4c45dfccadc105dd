package codec_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"lumaflow/internal/temporal/codec"
)

const keyMissing = `encrypted with codec key "main", which CODEC_KEYS does not hold: add that key`

// jobWaits is the error of a workflow that needs that key.
const jobWaits = "the job waits for a worker that can read it: " + keyMissing

func TestFailuresAreEncrypted(t *testing.T) {
	t.Parallel()
	c := keys(t, "main:"+secret(1))
	cause := temporal.NewApplicationErrorWithCause("no snow at https://cause.example.org", "Refused", errors.New("root of snow"), "detail of snow")
	for name, converters := range map[string]codec.Converters{"client": c.ForClient(), "worker": c.ForWorker()} {
		failure := converters.Failures.ErrorToFailure(temporal.NewNonRetryableApplicationError("no snow at https://cdn.example.org", "GenerationFailed", cause))
		text := protojson.Format(failure)
		assert.NotContains(t, text, "snow", name)
		assert.NotContains(t, text, "example.org", name)
		assert.Equal(t, "GenerationFailed", failure.GetApplicationFailureInfo().GetType(), "the type is not encrypted")

		err := converters.Failures.FailureToError(proto.Clone(failure).(*failurepb.Failure))
		require.ErrorContains(t, err, "no snow at https://cdn.example.org")
		var inner *temporal.ApplicationError
		require.ErrorAs(t, errors.Unwrap(err), &inner)
		var detail string
		require.NoError(t, inner.Details(&detail))
		assert.Equal(t, "detail of snow", detail)
		assert.Equal(t, "root of snow", inner.Unwrap().(*temporal.ApplicationError).Message())

		before := proto.Clone(failure)
		err = codec.Codec{}.ForClient().Failures.FailureToError(failure)
		require.ErrorContains(t, err, keyMissing)
		assert.True(t, proto.Equal(before, failure), "FailureToError does not change its argument")
		assert.PanicsWithError(t, jobWaits, func() {
			_ = codec.Codec{}.ForWorker().Failures.FailureToError(failure)
		}, "a workflow")
	}
	assert.NoError(t, c.ForClient().Failures.FailureToError(nil))
}

func TestNoKeysLeaveFailuresUnchanged(t *testing.T) {
	t.Parallel()
	err := temporal.NewApplicationError("no snow", "Refused", "detail")
	for _, converters := range []codec.Converters{codec.Codec{}.ForClient(), codec.Codec{}.ForWorker()} {
		assert.True(t, proto.Equal(temporal.GetDefaultFailureConverter().ErrorToFailure(err), converters.Failures.ErrorToFailure(err)))
	}
}

// An activity gets an error where a workflow panics: a panic in a submission would
// make its outcome unknown.
func TestMissingKeyInWorkflowAndActivity(t *testing.T) {
	t.Parallel()
	encrypted, err := keys(t, "main:"+secret(1)).ForWorker().Data.ToPayloads("snow")
	require.NoError(t, err)
	base := keys(t, "other:"+secret(2)).ForWorker().Data
	activity := converter.ActivitySerializationContext{WorkflowID: "luma-1", ActivityType: "Submit"}
	job := converter.WorkflowSerializationContext{WorkflowID: "luma-1"}
	with := converter.WithDataConverterSerializationContext
	inWorkflow := func(c converter.DataConverter) converter.DataConverter {
		return c.(converter.ContextAware).WithWorkflowContext(nil)
	}
	inActivity := func(c converter.DataConverter) converter.DataConverter {
		return c.(converter.ContextAware).WithContext(t.Context())
	}
	var value string
	for name, data := range map[string]converter.DataConverter{
		"no context":                             base,
		"a marker or a version":                  with(base, job),
		"an input":                               inWorkflow(with(base, job)),
		"the result of an activity":              inWorkflow(with(base, activity)),
		"a workflow context after an activity's": inWorkflow(inActivity(base)),
	} {
		assert.Panics(t, func() { _ = data.FromPayloads(encrypted, &value) }, name)
		assert.Panics(t, func() { _ = data.FromPayload(encrypted.GetPayloads()[0], &value) }, name)
	}
	for _, data := range []converter.DataConverter{
		inActivity(with(base, activity)), // the input
		with(base, activity),             // a heartbeat
	} {
		requireKeyError(t, data.FromPayloads(encrypted, &value), codec.KeyError{KeyID: "main"})
		requireKeyError(t, data.FromPayload(encrypted.GetPayloads()[0], &value), codec.KeyError{KeyID: "main"})
		malformed, err := keys(t, "other:"+secret(2)).Encode([]*commonpb.Payload{payload("{")})
		require.NoError(t, err)
		require.ErrorContains(t, data.FromPayloads(&commonpb.Payloads{Payloads: malformed}, &value), "decode")
	}
}

// The report of a missing key is not encrypted: the worker has only the wrong key.
func TestMissingKeyReportIsPlain(t *testing.T) {
	t.Parallel()
	c := keys(t, "wrong:"+secret(2)).ForWorker()
	encrypted, err := keys(t, "main:"+secret(1)).ForWorker().Data.ToPayload("snow")
	require.NoError(t, err)
	var value string
	err = c.Data.(converter.ContextAware).WithContext(t.Context()).FromPayload(encrypted, &value)
	require.EqualError(t, err, jobWaits)
	failure := c.Failures.ErrorToFailure(err)
	assert.Equal(t, jobWaits, failure.GetMessage())
	assert.Nil(t, failure.GetEncodedAttributes())
	assert.Nil(t, failure.GetCause(), "status shows the innermost cause")
	for _, err := range []error{errors.New("another error"), fmt.Errorf("read the prompt snow: %w", err)} {
		assert.Equal(t, "Encoded failure", c.Failures.ErrorToFailure(err).GetMessage())
	}
}
