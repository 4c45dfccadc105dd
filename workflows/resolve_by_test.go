package workflows_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"

	"lumaflow/internal/temporal/codec"
	"lumaflow/workflows"
)

// The status and the failure name the person who decided.
func TestResolvedBy(t *testing.T) {
	env := newJobEnv(t)
	env.onSubmit(env.unknown())
	got := env.sendResolution(time.Minute, workflows.Resolution{Action: "write-off", By: "ann@studio"})
	env.run(request).failsWith(workflows.SubmitUnknown, "the operator ann@studio wrote off")
	require.NoError(t, got.rejected)
	status := env.status()
	require.Equal(t, workflows.Resolution{Action: "write-off", By: "ann@studio"}, status.Resolved.Resolution)
	require.False(t, status.Resolved.At.IsZero())
}

// slipping does not encrypt resolutions, like Temporal's CLI without a codec server.
type slipping struct{ converter.DataConverter }

func (s slipping) ToPayloads(values ...any) (*commonpb.Payloads, error) {
	if slices.ContainsFunc(values, func(value any) bool { _, is := value.(workflows.Resolution); return is }) {
		return converter.GetDefaultDataConverter().ToPayloads(values...)
	}
	return s.DataConverter.ToPayloads(values...)
}

// With keys, a resolution that is not encrypted is rejected, and the job goes on.
func TestPlaintextResolution(t *testing.T) {
	keys, err := codec.ParseKeys("main:" + base64.StdEncoding.EncodeToString(make([]byte, 32)))
	require.NoError(t, err)
	env := newJobEnv(t)
	env.SetDataConverter(slipping{keys.ForWorker().Data})
	env.onSubmit(env.unknown())
	got := env.sendResolution(time.Minute, workflows.Resolution{Action: "write-off"})
	env.run(request).failsWith(workflows.SubmitUnknown, "no proof came in 1h")
	require.ErrorContains(t, got.rejected, "refused: not encrypted, although CODEC_KEYS is set")
}

// A name that no line can show is rejected before it is in the history.
func TestUnusableNames(t *testing.T) {
	for want, resolution := range map[string]workflows.Resolution{
		"by must be at most 200 bytes": {Action: "write-off", By: strings.Repeat("x", 201)},
		"of printable text":            {Action: "write-off", By: "ann\x1b[2J"},
	} {
		env := newJobEnv(t)
		env.onSubmit(env.unknown())
		got := env.sendResolution(time.Minute, resolution)
		env.run(request).failsWith(workflows.SubmitUnknown)
		require.ErrorContains(t, got.rejected, want)
		require.Nil(t, env.status().Resolved)
	}
}
