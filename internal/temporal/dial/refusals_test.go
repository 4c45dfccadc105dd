package dial_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/telemetry/metrics"
	"lumaflow/internal/temporal/codec"
	"lumaflow/internal/temporal/dial"
	"lumaflow/test/metricstest"
)

// Each reason of a refusal is a label value of the metric, and each of its label values
// is a reason.
func TestRefusals(t *testing.T) {
	var lines bytes.Buffer
	measured, counts := metricstest.New(), map[string]float64{}
	observe := dial.Refusals(slog.New(slog.NewTextHandler(&lines, nil)), measured)
	for _, reason := range codec.Reasons() {
		observe(codec.Refusal{Namespace: "studio", WorkflowID: "luma-1", Reason: reason})
		require.Contains(t, lines.String(), fmt.Sprintf(`msg="payload refused" reason=%s job=luma-1 namespace=studio`, reason))
	}
	for _, value := range metrics.PayloadsRefused.Labels[0].Values {
		counts["payloads_refused "+value] = 1
	}
	require.Equal(t, counts, measured.Values())
	dial.Refusals(slog.New(slog.DiscardHandler), nil)(codec.Refusal{Reason: codec.Plaintext})
}

// A role with keys that accepts payloads without encryption reports it at its start.
func TestAcceptedPlaintextIsLogged(t *testing.T) {
	for plaintext, keys := range map[string]string{"": "main:" + codecKey, "false": "main:" + codecKey, "true": "main:" + codecKey, "TRUE": ""} {
		settings, err := dial.Load(env{"CODEC_KEYS": keys, "CODEC_ACCEPT_PLAINTEXT": plaintext})
		require.NoError(t, err)
		var lines bytes.Buffer
		dial.Guarded(settings, slog.New(slog.NewTextHandler(&lines, nil)), nil)
		require.Equal(t, plaintext == "true", bytes.Contains(lines.Bytes(), []byte("remove CODEC_ACCEPT_PLAINTEXT when no job is open")), "%q", plaintext)
	}
}
