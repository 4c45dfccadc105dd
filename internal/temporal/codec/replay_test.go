package codec_test

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/proxy"
	"go.temporal.io/sdk/converter"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/proto"

	"lumaflow/internal/temporal/codec"
	"lumaflow/test/historyfile"
	"lumaflow/workflows"
)

// job is the job of a replayed history; its namespace is that of the SDK's replayer.
var job = converter.WorkflowSerializationContext{Namespace: "ReplayNamespace", WorkflowID: "luma-1"}

// TestReplayStopsAtOnePayload replaces one payload or failure of a recorded history
// at a time by one that the worker can't or must not use. Replay either never decodes
// it or stops there; it never continues with another value, and never without one.
func TestReplayStopsAtOnePayload(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("replays every history many times")
	}
	here := keys(t, "here:"+secret(8))
	own := here.ForClient().Of(job.Namespace, job.WorkflowID).Data
	for name, test := range map[string]struct {
		others, one converter.DataConverter
		stops       string
	}{
		"missing key": {own, keys(t, "away:"+secret(9)).ForClient().Data, `encrypted with codec key "away"`},
		"plaintext":   {own, converter.GetDefaultDataConverter(), "refused: not encrypted"},
		"other job":   {own, here.ForClient().Of(job.Namespace, "luma-2").Data, "refused: encrypted for another job"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stops := 0
			for i, file := range histories(t) {
				if i%3 != 0 && name != "plaintext" {
					continue
				}
				last := false
				for n := 0; !last; n++ {
					history, err := historyfile.Read(file)
					require.NoError(t, err)
					position := convert(t, history, test.others, test.one, n)
					last = position == ""
					log, refusals, err := replay(t, here, history)
					if last || err == nil {
						require.NoError(t, err, "%s as it was recorded", file)
						continue
					}
					require.NotEqual(t, "plaintext input", test.stops+position)
					// Replay compares the stored result without decrypting it.
					if strings.Contains(err.Error(), "doesn't return the same result") {
						continue
					}
					require.ErrorContains(t, err, "the job waits for a worker that can read it: "+test.stops, "%s of %s", position, file)
					require.NotContains(t, log, "StackTrace")
					require.Len(t, refusals, 1, "each refusal is observed once")
					for _, refused := range refusals {
						require.Equal(t, job.WorkflowID, refused.WorkflowID)
					}
					stops++
				}
			}
			require.Greater(t, stops, 10, "few payloads were decoded")
		})
	}
}

// The input of a workflow may be plaintext, and nothing else that replay decodes.
func TestPlaintextInput(t *testing.T) {
	t.Parallel()
	here := keys(t, "here:"+secret(8))
	own := here.ForClient().Of(job.Namespace, job.WorkflowID).Data
	plain := converter.GetDefaultDataConverter()
	stopped := 0
	for _, file := range histories(t) {
		history, err := historyfile.Read(file)
		require.NoError(t, err)
		input := proto.Clone(history.GetEvents()[0].GetWorkflowExecutionStartedEventAttributes().GetInput()).(*commonpb.Payloads)
		if strings.Contains(history.String(), "start_child_workflow_execution_initiated") {
			// convert encodes the input of a child for the job itself.
			continue
		}
		convert(t, history, own, own, 0)
		history.GetEvents()[0].GetWorkflowExecutionStartedEventAttributes().Input = input
		_, refusals, err := replay(t, here, history)
		require.NoError(t, err, file)
		require.Empty(t, refusals)
		require.NoError(t, here.DecodeHistory(t.Context(), job, history), file)
		_, _, err = replay(t, codec.Codec{}, history)
		require.NoError(t, err, "%s decrypted", file)

		// A job that began without keys continues with CODEC_ACCEPT_PLAINTEXT alone.
		history, err = historyfile.Read(file)
		require.NoError(t, err)
		convert(t, history, plain, plain, 0)
		_, _, err = replay(t, here, history)
		decoding := here.DecodeHistory(t.Context(), job, proto.Clone(history).(*historypb.History))
		// Some histories decode nothing beside the input.
		if err != nil {
			stopped++
			require.ErrorContains(t, err, "set CODEC_ACCEPT_PLAINTEXT=true", file)
			require.ErrorContains(t, decoding, "set CODEC_ACCEPT_PLAINTEXT=true", file)
		}
		accepting, err := here.AcceptPlaintext("true")
		require.NoError(t, err)
		_, refusals, err = replay(t, accepting, history)
		require.NoError(t, err, file)
		require.Empty(t, refusals)
		require.NoError(t, accepting.DecodeHistory(t.Context(), job, history), file)
	}
	require.NotZero(t, stopped)
}

func histories(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "workflows", "testdata", "histories", "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	if testing.Short() {
		return files[:1]
	}
	return files
}

// replay replays a history on a worker with the keys of a codec.
func replay(t *testing.T, with codec.Codec, history *historypb.History) (log string, refusals []codec.Refusal, err error) {
	t.Helper()
	with = with.Observe(func(refused codec.Refusal) { refusals = append(refusals, refused) })
	replayer, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{
		DataConverter:               with.ForWorker().Data,
		FailureConverter:            with.ForWorker().Failures,
		DisableRegistrationAliasing: true,
		DisableDeadlockDetection:    true,
	})
	require.NoError(t, err)
	workflows.Register(replayer, nil)
	var text bytes.Buffer
	err = replayer.ReplayWorkflowHistoryWithOptions(sdklog.NewStructuredLogger(slog.New(slog.NewTextHandler(&text, nil))),
		history, worker.ReplayWorkflowHistoryOptions{OriginalExecution: workflow.Execution{ID: job.WorkflowID}})
	return text.String(), refusals, err
}

// convert encodes the payloads of a recorded history with others, and the nth with
// one, where the attributes of each failure are one payload. It returns the position
// of that one; empty if there are fewer.
func convert(t *testing.T, history *historypb.History, others, one converter.DataConverter, n int) (position string) {
	t.Helper()
	count := 0
	with := func(at string) converter.DataConverter {
		count++
		if count-1 == n {
			position = at
			return one
		}
		return others
	}
	require.NoError(t, proxy.VisitFailures(t.Context(), history, proxy.VisitFailuresOptions{
		Visitor: func(_ *proxy.VisitFailuresContext, failure *failurepb.Failure) error {
			return converter.EncodeCommonFailureAttributes(with("failure"), failure)
		},
	}))
	encoded := map[*commonpb.Payload]bool{}
	require.NoError(t, proxy.VisitFailures(t.Context(), history, proxy.VisitFailuresOptions{
		Visitor: func(_ *proxy.VisitFailuresContext, failure *failurepb.Failure) error {
			encoded[failure.GetEncodedAttributes()] = true
			return nil
		},
	}))
	for i, event := range history.GetEvents() {
		require.NoError(t, proxy.VisitPayloads(t.Context(), event, proxy.VisitPayloadsOptions{
			Visitor: func(_ *proxy.VisitPayloadsContext, payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
				converted := make([]*commonpb.Payload, len(payloads))
				for j, payload := range payloads {
					if encoded[payload] {
						converted[j] = payload
						continue
					}
					at := event.GetEventType().String()
					if i == 0 {
						at = "input"
					}
					// The SDK encodes the value of a mutable side effect twice.
					if string(payload.GetMetadata()["messageType"]) == "temporal.api.common.v1.Payloads" {
						payload = encodeNested(t, payload, others)
					}
					var err error
					if converted[j], err = with(at).ToPayload(converter.NewRawValue(payload)); err != nil {
						return nil, err
					}
				}
				return converted, nil
			},
			SkipSearchAttributes: true,
		}))
	}
	return position
}

func encodeNested(t *testing.T, payload *commonpb.Payload, data converter.DataConverter) *commonpb.Payload {
	t.Helper()
	plain := converter.GetDefaultDataConverter()
	nested := &commonpb.Payloads{}
	require.NoError(t, plain.FromPayload(payload, &nested))
	for i, inner := range nested.GetPayloads() {
		encoded, err := data.ToPayload(converter.NewRawValue(inner))
		require.NoError(t, err)
		nested.Payloads[i] = encoded
	}
	encoded, err := plain.ToPayload(nested)
	require.NoError(t, err)
	return encoded
}
