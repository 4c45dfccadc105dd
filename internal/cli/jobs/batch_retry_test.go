package jobs_test

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"lumaflow/internal/cli/jobs"
	"lumaflow/internal/command"
	"lumaflow/starter"
	"lumaflow/test/startertest"
	"lumaflow/workflows/batches"
)

// A retry takes limits of its own, and reports that a kept budget is used up.
func TestRetryLimits(t *testing.T) {
	none, used, negative, rate := 0, 4, -1, 1.5
	for name, retry := range map[string]*jobs.BatchRetryCommand{
		"--concurrency is 0":         {Concurrency: &none},
		"--concurrency is -1":        {Concurrency: &negative},
		"--budget is -1":             {Budget: &negative},
		"--canary is -1":             {Canary: &negative},
		"--max-failure-rate is 1.5:": {MaxFailureRate: &rate},
	} {
		retry.ID, retry.TaskQueue = "b", "lumaflow"
		err := retry.Run(t.Context(), command.Streams{Out: io.Discard, Err: io.Discard})
		require.ErrorContains(t, err, name)
		require.Equal(t, command.ExitUsage, command.ExitCode(err))
	}
	for name, test := range map[string]struct {
		budget  *int
		message string
	}{
		"kept": {nil, "the batch has paid 4 submissions and its budget is 4: it starts no job that needs another one; " +
			"to submit more: lumaflow batch retry b --budget N\n"},
		"used up already": {&used, "its budget is 4"},
		"none":            {&none, ""},
	} {
		t.Run(name, func(t *testing.T) {
			fake := startertest.New(t)
			run := fake.Batch("b", batches.Input{Manifest: "m", SHA256: "h", Budget: 4}).End(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, time.Minute)
			run.History.EndCompleted(batches.Result{Counts: batches.Counts{Jobs: 9, Done: 3, Failed: 1, Charges: 4}, Stopped: "budget"})
			retry := &jobs.BatchRetryCommand{Budget: test.budget}
			retry.ID = "b"
			streams, _, messages := newStreams("")
			require.NoError(t, retry.RunOn(t.Context(), starter.New(fake, starter.Options{}), streams))
			require.Contains(t, messages.String(), test.message)
			if test.message == "" {
				require.NotContains(t, messages.String(), "budget")
			}
			if test.budget != nil {
				require.Equal(t, *test.budget, fake.BatchInputs[0].Budget)
			}
		})
	}
}
