package batches_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
	"lumaflow/workflows/batches"
)

// continued is the input that a run leaves to the next one.
func continued(t *testing.T, err error) (input batches.Input) {
	t.Helper()
	var next *workflow.ContinueAsNewError
	require.ErrorAs(t, err, &next)
	require.NoError(t, json.Unmarshal(next.Input.GetPayloads()[0].GetData(), &input))
	require.NotNil(t, input.Continued)
	return input
}

// A retry of a paused batch starts nothing before it is resumed.
func TestRetryOfAPausedBatch(t *testing.T) {
	s := newShop(t, 2)
	s.after(time.Minute, func() {
		s.update("", batches.RetryUpdate)
		s.update("", batches.PauseUpdate)
	})
	_, err := s.run(batches.Input{})
	require.True(t, continued(t, err).Continued.Paused)
}

// A run whose jobs have all ended already becomes no longer than others.
func TestContinueAmongEndedJobs(t *testing.T) {
	s := newShop(t, 1000)
	for line := range 1000 {
		s.found[id(line+1)] = activities.FoundJob{State: activities.FoundEnded, End: &activities.JobEnd{Job: id(line + 1), Outcome: activities.OutcomeDone}}
	}
	s.wrote = func(activities.ResultsInput) {
		if len(s.pages) == 3 {
			s.SetContinueAsNewSuggested(true)
		}
	}
	_, err := s.run(batches.Input{})
	require.Equal(t, 300, continued(t, err).Continued.Next)
}

// A manifest that changes before the results are complete is the failure of the batch.
func TestManifestChangesAtTheEnd(t *testing.T) {
	s := newShop(t, 2)
	s.finishError = temporal.NewNonRetryableApplicationError("the manifest has changed", batches.ManifestChanged, nil)
	_, err := s.run(batches.Input{})
	var application *temporal.ApplicationError
	require.ErrorAs(t, err, &application)
	require.Contains(t, application.Message(), "batch "+batchID+": the manifest has changed")
}
