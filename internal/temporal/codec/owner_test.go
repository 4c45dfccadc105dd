package codec_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"

	"lumaflow/internal/temporal/codec"
)

func requireRefused(t *testing.T, err error, want codec.Reason) {
	t.Helper()
	var refused *codec.RefusedError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, want, refused.Reason)
	require.Regexp(t, `^[[:print:]]{1,200}$`, refused.Error())
}

// A payload opens in every context of its job, without a context, and in that of no
// other job.
func TestPayloadsBelongToOneJob(t *testing.T) {
	t.Parallel()
	c := keys(t, "main:"+secret(1))
	base := c.ForClient().Data
	contexts := map[string][]converter.SerializationContext{
		"studio/luma-1": {
			converter.WorkflowSerializationContext{Namespace: "studio", WorkflowID: "luma-1"},
			converter.ActivitySerializationContext{Namespace: "studio", WorkflowID: "luma-1", ActivityType: "Submit", TaskQueue: "q"},
			converter.ActivitySerializationContext{Namespace: "studio", WorkflowID: "luma-1", IsLocal: true},
		},
		"studio/luma-2": {converter.WorkflowSerializationContext{Namespace: "studio", WorkflowID: "luma-2"}},
		"other/luma-1":  {converter.WorkflowSerializationContext{Namespace: "other", WorkflowID: "luma-1"}},
		// The same characters, divided in another way.
		"studiol/uma-1": {converter.WorkflowSerializationContext{Namespace: "studiol", WorkflowID: "uma-1"}},
	}
	with := converter.WithDataConverterSerializationContext
	for from, encoders := range contexts {
		for _, encoder := range encoders {
			sealed, err := with(base, encoder).ToPayloads("snow")
			require.NoError(t, err)
			var value string
			require.NoError(t, base.FromPayloads(sealed, &value), "without a context")
			decoded, err := c.Decode(sealed.GetPayloads())
			require.NoError(t, err, "the codec server")
			assert.Equal(t, `"snow"`, string(decoded[0].GetData()))
			for to, decoders := range contexts {
				for _, decoder := range decoders {
					value = ""
					err := with(base, decoder).FromPayloads(sealed, &value)
					if from == to {
						require.NoError(t, err)
						assert.Equal(t, "snow", value)
						continue
					}
					requireRefused(t, err, codec.OtherJob)
					assert.Empty(t, value)
				}
			}
		}
	}
}

// The tag of a job is authenticated: it can be neither removed, nor added, nor
// replaced.
func TestTagIsAuthenticated(t *testing.T) {
	t.Parallel()
	c := keys(t, "main:"+secret(1))
	data := func(workflowID string) converter.DataConverter { return c.ForClient().Of("studio", workflowID).Data }
	sealed := func(workflowID string) *commonpb.Payload {
		payload, err := data(workflowID).ToPayload("snow")
		require.NoError(t, err)
		return payload
	}
	tag := sealed("luma-1").GetMetadata()["encryption-job"]
	require.Len(t, tag, 33)
	require.Equal(t, byte(2), tag[0])
	require.NotContains(t, sealed("").GetMetadata(), "encryption-job", "an unknown job")

	var value string
	moved := sealed("luma-2")
	moved.Metadata["encryption-job"] = tag
	requireKeyError(t, data("luma-1").FromPayload(moved, &value), codec.KeyError{KeyID: "main", Held: true})
	stripped := sealed("luma-2")
	delete(stripped.Metadata, "encryption-job")
	requireKeyError(t, data("luma-1").FromPayload(stripped, &value), codec.KeyError{KeyID: "main", Held: true})
	labelled := sealed("")
	labelled.Metadata["encryption-job"] = tag
	requireKeyError(t, data("luma-1").FromPayload(labelled, &value), codec.KeyError{KeyID: "main", Held: true})
	cut := proto.Clone(sealed("luma-1")).(*commonpb.Payload)
	cut.Metadata["encryption-job"] = tag[:1]
	requireRefused(t, data("luma-1").FromPayload(cut, &value), codec.OtherJob)
	assert.Empty(t, value)

	// Payloads of earlier versions and of Temporal's CLI belong to no job.
	require.NoError(t, data("luma-1").FromPayload(sealed(""), &value))
	assert.Equal(t, "snow", value)
}

// A payload that no key opens is observed with its job, whatever key id it claims.
func TestUnopenedPayloadsAreObserved(t *testing.T) {
	t.Parallel()
	var refusals []codec.Refusal
	c := keys(t, "main:"+secret(1)).Observe(func(refused codec.Refusal) { refusals = append(refusals, refused) })
	data := c.ForWorker().Of("studio", "luma-1").Data
	forged, err := data.ToPayload("snow")
	require.NoError(t, err)
	forged.Data[20] ^= 1
	var value string
	for id, reason := range map[string]codec.Reason{"main": codec.Unopened, "forged": codec.UnknownKey, "": codec.UnknownKey} {
		refusals, forged.Metadata["encryption-key-id"] = nil, []byte(id)
		require.Panics(t, func() { _ = data.FromPayload(forged, &value) }, id)
		assert.Equal(t, []codec.Refusal{{Namespace: "studio", WorkflowID: "luma-1", Reason: reason}}, refusals, id)
	}
	assert.Empty(t, value)
}

// input is the input of a workflow.
type input struct{ Prompt string }

func (input) WorkflowInput() {}

func TestPlaintextIsForInputsOnly(t *testing.T) {
	t.Parallel()
	plain, err := converter.GetDefaultDataConverter().ToPayloads(input{Prompt: "snow"})
	require.NoError(t, err)
	var refusals []codec.Refusal
	strict := keys(t, "main:"+secret(1)).Observe(func(refused codec.Refusal) { refusals = append(refusals, refused) })
	accepting, err := strict.AcceptPlaintext("true")
	require.NoError(t, err)
	for name, test := range map[string]struct {
		codec    codec.Codec
		refusals int
	}{"strict": {strict, 2}, "accepting": {accepting, 0}, "no keys": {codec.Codec{}, 0}} {
		refusals = nil
		data := test.codec.ForClient().Of("studio", "luma-1").Data
		var own input
		require.NoError(t, data.FromPayloads(plain, &own), name)
		assert.Equal(t, "snow", own.Prompt)
		var other struct{ Prompt string }
		for _, err := range []error{data.FromPayloads(plain, &other), data.FromPayload(plain.GetPayloads()[0], &other)} {
			if test.refusals > 0 {
				requireRefused(t, err, codec.Plaintext)
				assert.Empty(t, other.Prompt)
			} else {
				require.NoError(t, err, name)
			}
		}
		require.Len(t, refusals, test.refusals, name)
		for _, refused := range refusals {
			assert.Equal(t, codec.Refusal{Namespace: "studio", WorkflowID: "luma-1", Reason: codec.Plaintext}, refused)
		}
	}
}

func TestAcceptPlaintext(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"", " ", "false", "0", "true", "1", " TRUE "} {
		_, err := codec.Codec{}.AcceptPlaintext(value)
		require.NoError(t, err, "%q", value)
	}
	for _, value := range []string{"yes", "on", "tru\ne"} {
		_, err := codec.Codec{}.AcceptPlaintext(value)
		require.ErrorContains(t, err, "CODEC_ACCEPT_PLAINTEXT is ", value)
		require.Regexp(t, `^[[:print:]]+$`, err.Error())
	}
}
