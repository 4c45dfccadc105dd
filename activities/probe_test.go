package activities_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/converter"

	"lumaflow/internal/paid/runs"
	"lumaflow/test/startertest"
)

// The job that a batch has elected counts as long as both are open and it submits.
func TestElectedProbe(t *testing.T) {
	for name, test := range map[string]struct {
		change func(batch, job *startertest.Run)
		probes bool
	}{
		"held":           {func(_, _ *startertest.Run) {}, true},
		"accepted":       {func(_, job *startertest.Run) { job.RunsActivity("Poll") }, false},
		"paused":         {func(_, job *startertest.Run) { job.Pending[0].Paused = true }, false},
		"job is paused":  {func(_, job *startertest.Run) { job.Status = enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED }, false},
		"ended":          {func(_, job *startertest.Run) { job.End(statusTerminated, time.Minute).Pending = nil }, false},
		"deleted":        {func(batch, _ *startertest.Run) { batch.Probe = "deleted" }, false},
		"not elected":    {func(batch, _ *startertest.Run) { batch.Probe = "" }, false},
		"batch is over":  {func(batch, _ *startertest.Run) { batch.End(statusTerminated, time.Minute) }, false},
		"batch is other": {func(batch, _ *startertest.Run) { batch.ID = "other" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			fake := startertest.New(t)
			batch, elected := fake.Job(batchID), fake.Job("elected").RunsActivity("Submit")
			batch.Probe = elected.ID
			test.change(batch, elected)
			if batch.ID != batchID {
				delete(fake.Runs, batchID)
			}
			reader := runs.Reader{Server: fake, Data: converter.GetDefaultDataConverter()}
			probe, err := reader.Probe(t.Context(), batchID)
			require.NoError(t, err)
			require.Equal(t, test.probes, probe == elected.ID)
		})
	}
	fake := startertest.New(t)
	fake.Down = serviceerror.NewUnavailable("down")
	_, err := runs.Reader{Server: fake, Data: converter.GetDefaultDataConverter()}.Probe(t.Context(), batchID)
	require.ErrorContains(t, err, "describe batch shots: down")
}
