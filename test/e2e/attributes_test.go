package e2e_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"

	"lumaflow/internal/temporal/devserver"
	"lumaflow/internal/temporal/dial"
	"lumaflow/workflows"
)

// A namespace may lose the search attributes while jobs run. The jobs continue
// without them.
func TestSearchAttributesVanish(t *testing.T) {
	t.Parallel()
	server, err := devserver.Start(t.Context(), devserver.Options{
		KeywordAttributes: []string{workflows.StageAttribute, workflows.TaskIDAttribute},
		Progress:          os.Stderr,
	})
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	w := enter(t, setup{env: []string{"TEMPORAL_ADDRESS=" + server.Address()}})
	w.client, err = dial.Temporal(t.Context(), dial.Options{Env: settings{"TEMPORAL_ADDRESS": server.Address()}})
	require.NoError(t, err)
	t.Cleanup(w.client.Close)
	const prompt = "attributes vanish [render: held]"
	id := w.submitted(prompt)
	w.awaitJobStage(id, workflows.StageWaiting)
	w.until("the job has its stage as an attribute", func() bool {
		count, err := w.client.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{Query: workflows.StageAttribute + " = 'waiting'"})
		return err == nil && count.GetCount() == 1
	})
	for _, name := range []string{workflows.StageAttribute, workflows.TaskIDAttribute} {
		got := execute(t, w.env, cli, "operator", "search-attribute", "remove", "--name", name, "--yes", "--address", server.Address())
		require.Zero(t, got.code, got.err)
	}
	w.control("release", struct{}{})
	w.paidOnce(id, prompt)
}
