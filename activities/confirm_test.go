package activities_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/activities"
	"lumaflow/internal/kie"
)

// Only a success with links ends the wait at once; Poll decides about the rest.
func TestConfirm(t *testing.T) {
	links := []string{"https://cdn.example.org/1.mp4"}
	tests := []struct {
		name     string
		record   kie.Record
		err      error
		finished bool
	}{
		{"a success with links", kie.Record{State: kie.Succeeded, ResultURLs: links}, nil, true},
		{"a success without links", kie.Record{State: kie.Succeeded}, nil, false},
		{"a running task", kie.Record{ResultURLs: links}, nil, false},
		{"a failed task", kie.Record{State: kie.Failed, ResultURLs: links}, nil, false},
		{"kie.ai is down", kie.Record{}, &kie.Error{Class: kie.Temporary}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			f.setRecord(test.record, test.err)
			acts := f.register(t)
			value, err := f.ExecuteLocalActivity(acts.Confirm, activities.ConfirmInput{TaskID: taskID})
			require.NoError(t, err)
			var finished activities.Finished
			require.NoError(t, value.Get(&finished))
			require.Equal(t, test.finished, finished.TaskID == taskID)
			if test.finished {
				require.Equal(t, links, finished.ResultURLs)
				require.Equal(t, 1, finished.Polls)
			}
		})
	}
}
