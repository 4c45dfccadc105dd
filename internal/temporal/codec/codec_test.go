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
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/proto"

	"lumaflow/internal/temporal/codec"
)

func payload(data string) *commonpb.Payload {
	return &commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: []byte(data)}
}

func TestWhatIsSealedOpensAgain(t *testing.T) {
	t.Parallel()
	c := keys(t, "main:"+secret(1))
	plain := []*commonpb.Payload{
		payload(`"snow"`), payload(`"snow"`), payload(""), {},
		{Metadata: map[string][]byte{"encoding": []byte("binary/null")}},
		payload(strings.Repeat("x", 1<<20)),
	}
	sealed, err := c.Encode(plain)
	require.NoError(t, err)
	require.Len(t, sealed, len(plain))
	for _, p := range sealed {
		assert.Equal(t, map[string][]byte{"encoding": []byte("binary/encrypted"), "encryption-key-id": []byte("main")}, p.GetMetadata())
		assert.NotContains(t, string(p.GetData()), "snow")
		assert.NotContains(t, string(p.GetData()), "json/plain")
	}
	assert.NotEqual(t, sealed[0].GetData(), sealed[1].GetData(), "each has its own nonce")
	opened, err := c.Decode(sealed)
	require.NoError(t, err)
	for i := range plain {
		assert.True(t, proto.Equal(plain[i], opened[i]), i)
	}
	assert.True(t, proto.Equal(payload(`"snow"`), plain[0]), "what was given is as it was")
}

func TestRotation(t *testing.T) {
	t.Parallel()
	before, both, after := keys(t, "k1:"+secret(1)), keys(t, "k2:"+secret(2)+",k1:"+secret(1)), keys(t, "k2:"+secret(2))
	old, err := before.Encode([]*commonpb.Payload{payload("old")})
	require.NoError(t, err)
	fresh, err := both.Encode([]*commonpb.Payload{payload("new")})
	require.NoError(t, err)
	mixed := append(append([]*commonpb.Payload{payload("plain")}, old...), fresh...)

	opened, err := both.Decode(mixed)
	require.NoError(t, err)
	for i, want := range []string{"plain", "old", "new"} {
		assert.Equal(t, want, string(opened[i].GetData()))
	}
	_, err = before.Decode(mixed)
	requireSealed(t, err, codec.SealedError{KeyID: "k2"})
	_, err = after.Decode(mixed)
	requireSealed(t, err, codec.SealedError{KeyID: "k1"})
	_, err = after.Decode(fresh)
	require.NoError(t, err)
}

// A key that was renamed still opens, and so does one that somebody had taken for
// another, if it is there under a name of its own.
func TestTheIDOfAKeyIsAHint(t *testing.T) {
	t.Parallel()
	sealed, err := keys(t, "main:"+secret(1)).Encode([]*commonpb.Payload{payload("snow")})
	require.NoError(t, err)
	for _, value := range []string{
		"renamed:" + secret(1),
		"main:" + secret(2) + ",mistaken:" + secret(1),
		"a:" + secret(2) + ",b:" + secret(3) + ",c:" + secret(1),
	} {
		opened, err := keys(t, value).Decode(sealed)
		require.NoError(t, err)
		assert.Equal(t, "snow", string(opened[0].GetData()))
	}
}

func TestWhatCannotBeOpenedIsAnError(t *testing.T) {
	t.Parallel()
	c := keys(t, "main:"+secret(1))
	sealed, err := c.Encode([]*commonpb.Payload{payload(`"snow"`)})
	require.NoError(t, err)
	reason := func(c codec.Codec, change func(*commonpb.Payload)) error {
		changed := proto.Clone(sealed[0]).(*commonpb.Payload)
		change(changed)
		_, err := c.Decode([]*commonpb.Payload{changed})
		return err
	}
	held, unknown := codec.SealedError{KeyID: "main", Held: true}, codec.SealedError{KeyID: "main"}
	none := func(*commonpb.Payload) {}
	requireSealed(t, reason(codec.Codec{}, none), unknown)
	requireSealed(t, reason(keys(t, "other:"+secret(2)), none), unknown)
	requireSealed(t, reason(keys(t, "main:"+secret(2)), none), held)
	for i := range sealed[0].GetData() {
		requireSealed(t, reason(c, func(p *commonpb.Payload) { p.Data[i] ^= 1 }), held)
		requireSealed(t, reason(c, func(p *commonpb.Payload) { p.Data = p.Data[:i] }), held)
	}
	other := keys(t, "other:"+secret(2))
	requireSealed(t, reason(other, func(p *commonpb.Payload) { delete(p.Metadata, "encryption-key-id") }), codec.SealedError{})
	hostile := strings.Repeat("\x1b[2J\n", 100)
	err = reason(other, func(p *commonpb.Payload) { p.Metadata["encryption-key-id"] = []byte(hostile) })
	requireSealed(t, err, codec.SealedError{KeyID: hostile})
}

// requireSealed also holds the error to one plain line that names the setting.
func requireSealed(t *testing.T, err error, want codec.SealedError) {
	t.Helper()
	var sealed *codec.SealedError
	require.ErrorAs(t, err, &sealed)
	require.Equal(t, want, *sealed)
	require.Contains(t, err.Error(), "CODEC_KEYS")
	require.Regexp(t, `^[[:print:]]{1,400}$`, err.Error())
}

func TestWithoutKeysNothingChanges(t *testing.T) {
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

// byHand seals as Temporal's encryption samples do, with a nonce that is always
// the same.
func byHand(t testing.TB, plain *commonpb.Payload) (sealed []byte, aead cipher.AEAD) {
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

func TestTheFormIsThatOfTemporalsSamples(t *testing.T) {
	t.Parallel()
	c := keys(t, "main:"+secret(1))
	data, aead := byHand(t, payload("by hand"))
	opened, err := c.Decode([]*commonpb.Payload{{
		Metadata: map[string][]byte{"encoding": []byte("binary/encrypted"), "encryption-key-id": []byte("main")},
		Data:     data,
	}})
	require.NoError(t, err)
	require.Equal(t, "by hand", string(opened[0].GetData()))

	sealed, err := c.Encode(opened)
	require.NoError(t, err)
	data = sealed[0].GetData()
	marshalled, err := aead.Open(nil, data[:12], data[12:], nil)
	require.NoError(t, err)
	again := &commonpb.Payload{}
	require.NoError(t, proto.Unmarshal(marshalled, again))
	require.True(t, proto.Equal(payload("by hand"), again))
}

func TestOpen(t *testing.T) {
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
	opened := history()
	require.NoError(t, c.Open(t.Context(), opened))
	assert.Equal(t, `"snow"`, string(opened.GetEvents()[0].GetWorkflowExecutionStartedEventAttributes().GetInput().GetPayloads()[0].GetData()))
	want := temporal.GetDefaultFailureConverter().ErrorToFailure(temporal.NewApplicationErrorWithCause("no snow", "Refused", errors.New("the cause"), "a detail"))
	assert.True(t, proto.Equal(want, opened.GetEvents()[1].GetActivityTaskFailedEventAttributes().GetFailure()), "as if it had never been sealed")

	again := proto.Clone(opened)
	require.NoError(t, c.Open(t.Context(), opened))
	assert.True(t, proto.Equal(again, opened))
	requireSealed(t, codec.Codec{}.Open(t.Context(), history()), codec.SealedError{KeyID: "main"})
}
