package jobs_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/cli/jobs"
	"lumaflow/internal/command"
	"lumaflow/starter"
	"lumaflow/test/startertest"
	"lumaflow/workflows"
)

func TestResolve(t *testing.T) {
	tests := []struct {
		name     string
		command  jobs.ResolveCommand
		want     workflows.Resolution
		messages string
	}{
		{
			"adopt", jobs.ResolveCommand{ID: jobID, Adopt: taskID},
			workflows.Resolution{Action: "adopt", TaskID: taskID},
			"the job requests the record of task " + taskID + " from kie.ai first, for at most a minute\n" +
				"job " + jobID + " continues with task " + taskID + "; wait for it with: lumaflow wait " + jobID + "\n",
		},
		{
			"resubmit", jobs.ResolveCommand{ID: jobID, Resubmit: true},
			workflows.Resolution{Action: "resubmit"},
			"job " + jobID + " submits again, which pays twice if the first submission was accepted; wait for it with: lumaflow wait " + jobID + "\n",
		},
		{
			"write off", jobs.ResolveCommand{ID: jobID, WriteOff: true},
			workflows.Resolution{Action: "write-off"},
			"job " + jobID + " is written off; if its task appears at https://kie.ai/logs, collect it with: lumaflow submit --task-id TASKID\n",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fake := startertest.New(t)
			var got workflows.Resolution
			fake.Job(jobID).Update = func(decision workflows.Resolution) (any, error) {
				got = decision
				return workflows.Status{}, nil
			}
			streams, out, messages := newStreams("")
			require.NoError(t, test.command.RunOn(t.Context(), starter.New(fake, starter.Options{}), streams))
			require.Regexp(t, `^[[:print:]]+@[[:print:]]+$`, got.By, "the user and the host")
			got.By = ""
			require.Equal(t, test.want, got)
			require.Equal(t, test.messages, messages.String())
			require.Empty(t, out.String())
		})
	}
}

func TestResolveAs(t *testing.T) {
	fake := startertest.New(t)
	fake.Job(jobID).Update = func(decision workflows.Resolution) (any, error) {
		require.Equal(t, workflows.Resolution{Action: "write-off", By: "ann boss"}, decision)
		return workflows.Status{}, nil
	}
	streams, _, _ := newStreams("")
	resolve := jobs.ResolveCommand{ID: jobID, WriteOff: true}
	resolve.As = "ann\nboss "
	require.NoError(t, resolve.RunOn(t.Context(), starter.New(fake, starter.Options{}), streams))
	resolve.As = strings.Repeat("x", 201)
	err := resolve.RunOn(t.Context(), starter.New(fake, starter.Options{}), streams)
	require.Equal(t, command.ExitUsage, command.ExitCode(err), "%v", err)
}

func TestResolveNeedsOneDecision(t *testing.T) {
	for name, wrong := range map[string]jobs.ResolveCommand{
		"nothing":       {ID: jobID},
		"two things":    {ID: jobID, Resubmit: true, WriteOff: true},
		"adopt and off": {ID: jobID, Adopt: taskID, WriteOff: true},
		"blank task":    {ID: jobID, Adopt: " "},
		"no job":        {WriteOff: true},
	} {
		t.Run(name, func(t *testing.T) {
			streams, _, _ := newStreams("")
			err := wrong.RunOn(t.Context(), starter.New(startertest.New(t), starter.Options{}), streams)
			require.Equal(t, command.ExitUsage, command.ExitCode(err), "%v", err)
		})
	}
}
