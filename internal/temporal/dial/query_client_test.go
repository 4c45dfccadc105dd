package dial_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/temporal/dial"
)

// A payload without a key makes the worker's own client panic, which fails a
// workflow task but would end a process that inspects jobs.
func TestQueryClient(t *testing.T) {
	server := &frontend{namespaces: []string{"default"}}
	e := env{"TEMPORAL_ADDRESS": server.start(t), "CODEC_KEYS": "main:" + codecKey}
	settings, err := dial.Load(e)
	require.NoError(t, err)
	server.answer, err = settings.Codec.ForClient().Data.ToPayloads("snow")
	require.NoError(t, err)

	for keys, want := range map[string]string{
		"main:" + codecKey:  "",
		"other:" + otherKey: `encrypted with codec key "main", which CODEC_KEYS does not hold`,
	} {
		e["CODEC_KEYS"] = keys
		options := dial.Options{Env: e, Worker: true}
		worker, err := dial.Temporal(t.Context(), options)
		require.NoError(t, err)
		query, err := dial.QueryClient(t.Context(), worker, options)
		require.NoError(t, err)
		answer, err := query.QueryWorkflow(t.Context(), "luma-1", "", "status")
		require.NoError(t, err)
		var text string
		if want == "" {
			require.NoError(t, answer.Get(&text))
			assert.Equal(t, "snow", text)
		} else {
			require.ErrorContains(t, answer.Get(&text), want)
			answer, err = worker.QueryWorkflow(t.Context(), "luma-1", "", "status")
			require.NoError(t, err)
			assert.Panics(t, func() { _ = answer.Get(&text) })
		}
		query.Close()
		worker.Close()
	}
}
