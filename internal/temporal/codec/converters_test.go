package codec_test

import (
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/api/proxy"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"lumaflow/internal/temporal/codec"
	"lumaflow/test/historyfile"
	"lumaflow/workflows"
)

const missing = `encrypted with codec key "main", which CODEC_KEYS does not hold: add that key`

func TestFailuresAreSealed(t *testing.T) {
	t.Parallel()
	c := keys(t, "main:"+secret(1))
	cause := temporal.NewApplicationErrorWithCause("no snow at https://cause.example.org", "Refused", errors.New("root of snow"), "detail of snow")
	for name, converters := range map[string]codec.Converters{"client": c.ForClient(), "worker": c.ForWorker()} {
		failure := converters.Failures.ErrorToFailure(temporal.NewNonRetryableApplicationError("no snow at https://cdn.example.org", "GenerationFailed", cause))
		text := protojson.Format(failure)
		assert.NotContains(t, text, "snow", name)
		assert.NotContains(t, text, "example.org", name)
		assert.Equal(t, "GenerationFailed", failure.GetApplicationFailureInfo().GetType(), "the type stays readable")

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
		require.ErrorContains(t, err, missing)
		assert.True(t, proto.Equal(before, failure), "what was given is as it was")
		assert.PanicsWithValue(t, "the job waits for a worker that can read it: "+missing, func() {
			_ = codec.Codec{}.ForWorker().Failures.FailureToError(failure)
		}, "a workflow")
	}
	assert.NoError(t, c.ForClient().Failures.FailureToError(nil))
}

func TestWithoutKeysFailuresAreAsBefore(t *testing.T) {
	t.Parallel()
	err := temporal.NewApplicationError("no snow", "Refused", "detail")
	for _, converters := range []codec.Converters{codec.Codec{}.ForClient(), codec.Codec{}.ForWorker()} {
		assert.True(t, proto.Equal(temporal.GetDefaultFailureConverter().ErrorToFailure(err), converters.Failures.ErrorToFailure(err)))
	}
}

// An activity gets an error where a workflow is stopped: a panic of a submission
// would make its outcome unknown.
func TestWhoReadsWhatCannotBeOpened(t *testing.T) {
	t.Parallel()
	sealed, err := keys(t, "main:"+secret(1)).ForWorker().Data.ToPayloads("snow")
	require.NoError(t, err)
	base := keys(t, "other:"+secret(2)).ForWorker().Data
	activity := converter.ActivitySerializationContext{WorkflowID: "luma-1", ActivityType: "Submit"}
	job := converter.WorkflowSerializationContext{WorkflowID: "luma-1"}
	reader := func(c converter.DataConverter) converter.DataConverter {
		// As the SDK does it.
		return converter.MakeTransferAware(c)
	}
	with := converter.WithDataConverterSerializationContext
	inWorkflow := func(c converter.DataConverter) converter.DataConverter {
		return c.(converter.ContextAware).WithWorkflowContext(nil)
	}
	inActivity := func(c converter.DataConverter) converter.DataConverter {
		return c.(converter.ContextAware).WithContext(t.Context())
	}
	var value string
	for name, data := range map[string]converter.DataConverter{
		"no context":                           reader(base),
		"a marker or a version":                with(reader(base), job),
		"an input":                             inWorkflow(with(reader(base), job)),
		"the result of an activity":            inWorkflow(with(reader(base), activity)),
		"a workflow after an activity's reads": inWorkflow(inActivity(reader(base))),
	} {
		assert.Panics(t, func() { _ = data.FromPayloads(sealed, &value) }, name)
		assert.Panics(t, func() { _ = data.FromPayload(sealed.GetPayloads()[0], &value) }, name)
	}
	for _, data := range []converter.DataConverter{
		inActivity(with(reader(base), activity)), // the input
		with(reader(base), activity),             // a heartbeat
	} {
		requireSealed(t, data.FromPayloads(sealed, &value), codec.SealedError{KeyID: "main"})
		requireSealed(t, data.FromPayload(sealed.GetPayloads()[0], &value), codec.SealedError{KeyID: "main"})
		require.ErrorContains(t, data.FromPayloads(&commonpb.Payloads{Payloads: []*commonpb.Payload{payload("{")}}, &value), "decode")
	}
}

// Why a workflow was stopped is for all to read: whoever has the wrong key would
// encrypt it with that.
func TestTheMissingKeyIsNamedInTheClear(t *testing.T) {
	t.Parallel()
	c := keys(t, "wrong:"+secret(2))
	failure := c.ForWorker().Failures.ErrorToFailure(errors.New("the job waits for a worker that can read it: " + missing))
	assert.Contains(t, failure.GetMessage(), missing)
	assert.Nil(t, failure.GetEncodedAttributes())
	assert.Equal(t, "Encoded failure", c.ForWorker().Failures.ErrorToFailure(errors.New("something else")).GetMessage())
}

// TestNoPayloadIsMisread seals one payload or failure of a recorded history at a
// time with a key that the worker does not have. Either the workflow never reads
// it, or it stops there: it never takes what it can't read for something else
// and decides otherwise.
func TestNoPayloadIsMisread(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it replays every history many times")
	}
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "workflows", "testdata", "histories", "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	away := keys(t, "away:"+secret(9))
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			t.Parallel()
			stopped := 0
			for n := 0; ; n++ {
				history, err := historyfile.Read(file)
				require.NoError(t, err)
				if !sealNth(t, history, away, n) {
					break
				}
				replayer, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{
					DataConverter:               keys(t, "here:"+secret(8)).ForWorker().Data,
					FailureConverter:            keys(t, "here:"+secret(8)).ForWorker().Failures,
					DisableRegistrationAliasing: true,
					DisableDeadlockDetection:    true,
				})
				require.NoError(t, err)
				workflows.Register(replayer)
				err = replayer.ReplayWorkflowHistory(log.NewStructuredLogger(slog.New(slog.DiscardHandler)), history)
				if err == nil {
					continue
				}
				// A result is compared as it is stored, sealed or not.
				if strings.Contains(err.Error(), "doesn't return the same result") {
					continue
				}
				require.ErrorContains(t, err, `the job waits for a worker that can read it: encrypted with codec key "away"`, "payload %d", n)
				stopped++
			}
			require.NotZero(t, stopped, "it read something")
		})
	}
}

// sealNth seals the nth payload of a message, counting the attributes of
// failures as one each; false if there are not so many.
func sealNth(t *testing.T, message proto.Message, with codec.Codec, n int) bool {
	t.Helper()
	seen := 0
	require.NoError(t, proxy.VisitFailures(t.Context(), message, proxy.VisitFailuresOptions{
		Visitor: func(_ *proxy.VisitFailuresContext, failure *failurepb.Failure) error {
			seen++
			if seen-1 == n {
				return converter.EncodeCommonFailureAttributes(with.ForClient().Data, failure)
			}
			return nil
		},
	}))
	if n < seen {
		return true
	}
	require.NoError(t, proxy.VisitPayloads(t.Context(), message, proxy.VisitPayloadsOptions{
		Visitor: func(_ *proxy.VisitPayloadsContext, payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
			for i, one := range payloads {
				seen++
				if seen-1 == n {
					sealed, err := with.Encode([]*commonpb.Payload{one})
					if err != nil {
						return nil, err
					}
					payloads[i] = sealed[0]
				}
			}
			return payloads, nil
		},
		SkipSearchAttributes: true,
	}))
	return n < seen
}
