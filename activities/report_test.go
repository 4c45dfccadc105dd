package activities_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"lumaflow/activities"
)

// reportServer is a Temporal server with one answer to every signal.
type reportServer struct {
	*recorder
	answer error
	sent   []string
}

func (s *reportServer) SignalWorkflow(_ context.Context, workflowID, runID, signalName string, arg any) error {
	s.sent = append(s.sent, fmt.Sprintf("%s %q %s %s", workflowID, runID, signalName, arg.(activities.JobEnd).Job))
	return s.answer
}

// A report is one signal to the open run of the batch. Only a batch that is over needs
// none.
func TestReportEnd(t *testing.T) {
	for name, test := range map[string]struct {
		answer error
		want   string
	}{
		"open":        {},
		"over":        {answer: serviceerror.NewNotFound("workflow execution already completed")},
		"unreachable": {serviceerror.NewUnavailable("unavailable"), "report the end of luma-1 to batch clips: unavailable"},
		"too many":    {serviceerror.NewInvalidArgument("exceeded workflow execution limit for signal events"), "exceeded workflow execution limit"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			server := &reportServer{answer: test.answer}
			f.options.Recorder = server
			_, err := f.ExecuteActivity(f.register(t).ReportEnd, activities.ReportInput{Batch: "clips", End: activities.JobEnd{Job: "luma-1"}})
			require.Equal(t, []string{`clips "" job-end luma-1`}, server.sent)
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.want)
		})
	}
}
