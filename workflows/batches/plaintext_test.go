package batches_test

import (
	"encoding/base64"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"

	"lumaflow/internal/temporal/codec"
	"lumaflow/workflows/batches"
)

// unencryptedNumbers does not encrypt the input of SetConcurrencyUpdate, like Temporal's
// CLI without a codec server.
type unencryptedNumbers struct{ converter.DataConverter }

func (c unencryptedNumbers) ToPayloads(values ...any) (*commonpb.Payloads, error) {
	if slices.ContainsFunc(values, func(value any) bool { _, is := value.(int); return is }) {
		return converter.GetDefaultDataConverter().ToPayloads(values...)
	}
	return c.DataConverter.ToPayloads(values...)
}

// With keys, an update that is not encrypted is rejected, and the batch goes on.
func TestPlaintextUpdate(t *testing.T) {
	keys, err := codec.ParseKeys("main:" + base64.StdEncoding.EncodeToString(make([]byte, 32)))
	require.NoError(t, err)
	s := newShop(t, 30)
	s.SetDataConverter(unencryptedNumbers{keys.ForWorker().Data})
	s.after(time.Minute, func() {
		s.update("refused: not encrypted, although CODEC_KEYS is set", batches.SetConcurrencyUpdate, 10)
	})
	result, err := s.run(batches.Input{Concurrency: 5})
	require.NoError(t, err)
	require.Equal(t, 30, result.Done)
	require.Equal(t, 5, s.most)
}
