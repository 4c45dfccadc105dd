package codec_test

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/proto"

	"lumaflow/internal/temporal/codec"
)

// anyJob is a job without an id, which every payload may belong to.
var anyJob converter.WorkflowSerializationContext

func payload(data string) *commonpb.Payload {
	return &commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: []byte(data)}
}

func TestEncodeDecode(t *testing.T) {
	t.Parallel()
	c := keys(t, "main:"+secret(1))
	plain := []*commonpb.Payload{
		payload(`"snow"`), payload(`"snow"`), payload(""), {},
		{Metadata: map[string][]byte{"encoding": []byte("binary/null")}},
		payload(strings.Repeat("x", 1<<20)),
	}
	encrypted, err := c.Encode(plain)
	require.NoError(t, err)
	require.Len(t, encrypted, len(plain))
	for _, p := range encrypted {
		assert.Equal(t, map[string][]byte{"encoding": []byte("binary/encrypted"), "encryption-key-id": []byte("main")}, p.GetMetadata())
		assert.NotContains(t, string(p.GetData()), "snow")
		assert.NotContains(t, string(p.GetData()), "json/plain")
	}
	assert.NotEqual(t, encrypted[0].GetData(), encrypted[1].GetData(), "one nonce per payload")
	decrypted, err := c.Decode(encrypted)
	require.NoError(t, err)
	for i := range plain {
		assert.True(t, proto.Equal(plain[i], decrypted[i]), i)
	}
	assert.True(t, proto.Equal(payload(`"snow"`), plain[0]), "Encode does not change its argument")
}

func TestRotation(t *testing.T) {
	t.Parallel()
	before, both, after := keys(t, "k1:"+secret(1)), keys(t, "k2:"+secret(2)+",k1:"+secret(1)), keys(t, "k2:"+secret(2))
	old, err := before.Encode([]*commonpb.Payload{payload("old")})
	require.NoError(t, err)
	current, err := both.Encode([]*commonpb.Payload{payload("new")})
	require.NoError(t, err)
	mixed := append(append([]*commonpb.Payload{payload("plain")}, old...), current...)

	decrypted, err := both.Decode(mixed)
	require.NoError(t, err)
	for i, want := range []string{"plain", "old", "new"} {
		assert.Equal(t, want, string(decrypted[i].GetData()))
	}
	_, err = before.Decode(mixed)
	requireKeyError(t, err, codec.KeyError{KeyID: "k2"})
	_, err = after.Decode(mixed)
	requireKeyError(t, err, codec.KeyError{KeyID: "k1"})
	_, err = after.Decode(current)
	require.NoError(t, err)
}

// A renamed key still decrypts, and so does a key under another id beside a wrong
// key of the payload's id.
func TestKeyIDIsAHint(t *testing.T) {
	t.Parallel()
	encrypted, err := keys(t, "main:"+secret(1)).Encode([]*commonpb.Payload{payload("snow")})
	require.NoError(t, err)
	for _, value := range []string{
		"renamed:" + secret(1),
		"main:" + secret(2) + ",mistaken:" + secret(1),
		"a:" + secret(2) + ",b:" + secret(3) + ",c:" + secret(1),
	} {
		decrypted, err := keys(t, value).Decode(encrypted)
		require.NoError(t, err)
		assert.Equal(t, "snow", string(decrypted[0].GetData()))
	}
}

func TestDecodeErrors(t *testing.T) {
	t.Parallel()
	c := keys(t, "main:"+secret(1))
	encrypted, err := c.Encode([]*commonpb.Payload{payload(`"snow"`)})
	require.NoError(t, err)
	decodeChanged := func(c codec.Codec, change func(*commonpb.Payload)) error {
		changed := proto.Clone(encrypted[0]).(*commonpb.Payload)
		change(changed)
		_, err := c.Decode([]*commonpb.Payload{changed})
		return err
	}
	held, unknown := codec.KeyError{KeyID: "main", Held: true}, codec.KeyError{KeyID: "main"}
	none := func(*commonpb.Payload) {}
	requireKeyError(t, decodeChanged(codec.Codec{}, none), unknown)
	requireKeyError(t, decodeChanged(keys(t, "other:"+secret(2)), none), unknown)
	requireKeyError(t, decodeChanged(keys(t, "main:"+secret(2)), none), held)
	for i := range encrypted[0].GetData() {
		requireKeyError(t, decodeChanged(c, func(p *commonpb.Payload) { p.Data[i] ^= 1 }), held)
		requireKeyError(t, decodeChanged(c, func(p *commonpb.Payload) { p.Data = p.Data[:i] }), held)
	}
	other := keys(t, "other:"+secret(2))
	requireKeyError(t, decodeChanged(other, func(p *commonpb.Payload) { delete(p.Metadata, "encryption-key-id") }), codec.KeyError{})
	unprintable := strings.Repeat("\x1b[2J\n", 100)
	err = decodeChanged(other, func(p *commonpb.Payload) { p.Metadata["encryption-key-id"] = []byte(unprintable) })
	requireKeyError(t, err, codec.KeyError{KeyID: unprintable})
}

// requireKeyError requires a KeyError whose text is one printable line that names
// the variable.
func requireKeyError(t *testing.T, err error, want codec.KeyError) {
	t.Helper()
	var got *codec.KeyError
	require.ErrorAs(t, err, &got)
	require.Equal(t, want, *got)
	require.Contains(t, err.Error(), "CODEC_KEYS")
	require.Regexp(t, `^[[:print:]]{1,400}$`, err.Error())
}

func TestNoKeys(t *testing.T) {
	t.Parallel()
	plain := []*commonpb.Payload{payload("a"), {}, {Metadata: map[string][]byte{"encoding": []byte("binary/zlib")}, Data: []byte{1}}}
	encoded, err := codec.Codec{}.Encode(plain)
	require.NoError(t, err)
	assert.Equal(t, plain, encoded)
	for _, c := range []codec.Codec{{}, keys(t, "main:"+secret(1))} {
		decoded, err := c.Decode(plain)
		require.NoError(t, err)
		assert.Equal(t, plain, decoded)
	}
}

// encryptSample encrypts as Temporal's encryption samples do, with a fixed nonce.
func encryptSample(t testing.TB, plain *commonpb.Payload) (data []byte, aead cipher.AEAD) {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(secret(1))
	require.NoError(t, err)
	block, err := aes.NewCipher(raw)
	require.NoError(t, err)
	aead, err = cipher.NewGCM(block)
	require.NoError(t, err)
	marshalled, err := proto.Marshal(plain)
	require.NoError(t, err)
	nonce := []byte("twelve bytes")
	return aead.Seal(nonce, nonce, marshalled, nil), aead
}

func TestFormatOfTemporalSamples(t *testing.T) {
	t.Parallel()
	c := keys(t, "main:"+secret(1))
	data, aead := encryptSample(t, payload("sample"))
	decrypted, err := c.Decode([]*commonpb.Payload{{
		Metadata: map[string][]byte{"encoding": []byte("binary/encrypted"), "encryption-key-id": []byte("main")},
		Data:     data,
	}})
	require.NoError(t, err)
	require.Equal(t, "sample", string(decrypted[0].GetData()))

	encrypted, err := c.Encode(decrypted)
	require.NoError(t, err)
	data = encrypted[0].GetData()
	marshalled, err := aead.Open(nil, data[:12], data[12:], nil)
	require.NoError(t, err)
	got := &commonpb.Payload{}
	require.NoError(t, proto.Unmarshal(marshalled, got))
	require.True(t, proto.Equal(payload("sample"), got))
}

func TestDecodeHistory(t *testing.T) {
	t.Parallel()
	c := keys(t, "main:"+secret(1))
	converters := c.ForClient()
	input, err := converters.Data.ToPayloads("snow")
	require.NoError(t, err)
	attributes := &commonpb.SearchAttributes{IndexedFields: map[string]*commonpb.Payload{"LumaStage": payload(`"waiting"`)}}
	history := func() *historypb.History {
		failure := converters.Failures.ErrorToFailure(temporal.NewApplicationErrorWithCause("no snow", "Refused", errors.New("the cause"), "a detail"))
		return &historypb.History{Events: []*historypb.HistoryEvent{
			{Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{
				WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{
					Input: proto.Clone(input).(*commonpb.Payloads), SearchAttributes: attributes,
				},
			}},
			{Attributes: &historypb.HistoryEvent_ActivityTaskFailedEventAttributes{
				ActivityTaskFailedEventAttributes: &historypb.ActivityTaskFailedEventAttributes{Failure: failure},
			}},
		}}
	}
	decrypted := history()
	require.NoError(t, c.DecodeHistory(t.Context(), anyJob, decrypted))
	assert.Equal(t, `"snow"`, string(decrypted.GetEvents()[0].GetWorkflowExecutionStartedEventAttributes().GetInput().GetPayloads()[0].GetData()))
	want := temporal.GetDefaultFailureConverter().ErrorToFailure(temporal.NewApplicationErrorWithCause("no snow", "Refused", errors.New("the cause"), "a detail"))
	assert.True(t, proto.Equal(want, decrypted.GetEvents()[1].GetActivityTaskFailedEventAttributes().GetFailure()), "same as the unencrypted failure")

	requireKeyError(t, codec.Codec{}.DecodeHistory(t.Context(), anyJob, history()), codec.KeyError{KeyID: "main"})
}

// The server writes the detail of an activity that is canceled before its start itself.
// Nothing else is admitted in its place.
func TestDecodeHistoryOfCanceledActivities(t *testing.T) {
	t.Parallel()
	c := keys(t, "main:"+secret(1))
	encrypted, err := c.ForClient().Data.ToPayloads("snow")
	require.NoError(t, err)
	for name, test := range map[string]struct {
		details *commonpb.Payloads
		refused bool
	}{
		"of the server": {&commonpb.Payloads{Payloads: []*commonpb.Payload{payload(`"ACTIVITY_ID_NOT_STARTED"`)}}, false},
		"of a worker":   {encrypted, false},
		"another text":  {&commonpb.Payloads{Payloads: []*commonpb.Payload{payload(`"snow"`)}}, true},
		"both":          {&commonpb.Payloads{Payloads: []*commonpb.Payload{payload(`"ACTIVITY_ID_NOT_STARTED"`), payload(`"snow"`)}}, true},
		"none":          {nil, false},
	} {
		event := &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_ActivityTaskCanceledEventAttributes{
			ActivityTaskCanceledEventAttributes: &historypb.ActivityTaskCanceledEventAttributes{Details: test.details},
		}}
		err := c.DecodeHistory(t.Context(), anyJob, &historypb.History{Events: []*historypb.HistoryEvent{event}})
		assert.Equal(t, test.refused, codec.Unreadable(err) != nil, name)
		assert.Equal(t, test.refused, err != nil, name)
	}
	signal := &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowExecutionSignaledEventAttributes{
		WorkflowExecutionSignaledEventAttributes: &historypb.WorkflowExecutionSignaledEventAttributes{
			Input: &commonpb.Payloads{Payloads: []*commonpb.Payload{payload(`"ACTIVITY_ID_NOT_STARTED"`)}},
		},
	}}
	require.Error(t, c.DecodeHistory(t.Context(), anyJob, &historypb.History{Events: []*historypb.HistoryEvent{signal}}), "in another event")
}
