package starter_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"lumaflow/internal/paid/runs"
	"lumaflow/starter"
	"lumaflow/workflows"
)

// killed is a client of a process that ends before it terminates a mark.
type killed struct{ client.Client }

func (killed) TerminateWorkflow(context.Context, string, string, string, ...any) error {
	return serviceerror.NewCanceled("killed")
}

// startsAMarkedTask marks a task of a job that a person ended, by a process that ends
// halfway, and starts the job of the task.
func startsAMarkedTask(t *testing.T, temporal client.Client, s *starter.Starter) {
	job := submitted(t, s, "mark")
	require.NoError(t, temporal.TerminateWorkflow(t.Context(), job.WorkflowID, "", "by mistake"))
	const late = "fedcba9876543210fedcba9876543210"
	reader := runs.Reader{Server: temporal, Data: converter.GetDefaultDataConverter()}
	_, err := runs.Collector{Starter: killed{temporal}, Reader: reader}.Collect(t.Context(), job.WorkflowID, late)
	require.ErrorContains(t, err, "killed")
	described, err := temporal.DescribeWorkflow(t.Context(), runs.CollectorID(late), "")
	require.NoError(t, err)
	mark := described.RawResponse.GetWorkflowExecutionInfo()
	require.True(t, runs.IsMark(mark))

	started, err := s.Submit(t.Context(), workflows.ModifyVideoInput{TaskID: late}, "")
	require.NoError(t, err)
	require.False(t, started.Existing)
	require.NotEqual(t, mark.GetExecution().GetRunId(), started.RunID)
	outcome, err := runs.Collector{Starter: temporal, Reader: reader}.Collect(t.Context(), job.WorkflowID, late)
	require.NoError(t, err)
	require.Equal(t, runs.Collecting, outcome)
}
