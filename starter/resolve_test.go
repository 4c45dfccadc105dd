package starter_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	sdk "go.temporal.io/sdk/temporal"

	"lumaflow/internal/command"
	"lumaflow/starter"
	"lumaflow/workflows"
)

func TestResolve(t *testing.T) {
	tests := []struct {
		name    string
		command starter.ResolveCommand
		want    workflows.Resolution
		said    string
	}{
		{
			"adopt", starter.ResolveCommand{ID: jobID, Adopt: taskID},
			workflows.Resolution{Action: "adopt", TaskID: taskID},
			"the job asks kie.ai about task " + taskID + " first, for at most a minute\n" +
				"job " + jobID + " goes on with task " + taskID + "; wait for it with: lumaflow wait " + jobID + "\n",
		},
		{
			"resubmit", starter.ResolveCommand{ID: jobID, Resubmit: true},
			workflows.Resolution{Action: "resubmit"},
			"job " + jobID + " submits again, which pays twice if the first submission was accepted; wait for it with: lumaflow wait " + jobID + "\n",
		},
		{
			"write off", starter.ResolveCommand{ID: jobID, WriteOff: true},
			workflows.Resolution{Action: "write-off"},
			"job " + jobID + " is written off; if its task turns up at https://kie.ai/logs, collect it with: lumaflow submit --task-id TASKID\n",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fake := newTemporal(t)
			var got workflows.Resolution
			fake.job(jobID).update = func(decision workflows.Resolution) (any, error) {
				got = decision
				return workflows.Status{}, nil
			}
			streams, out, said := newStreams("")
			require.NoError(t, test.command.RunOn(t.Context(), starter.New(fake, starter.Options{}), streams))
			require.Equal(t, test.want, got)
			require.Equal(t, test.said, said.String())
			require.Empty(t, out.String())
		})
	}
}

func TestResolveDecidesOneThing(t *testing.T) {
	for name, wrong := range map[string]starter.ResolveCommand{
		"nothing":       {ID: jobID},
		"two things":    {ID: jobID, Resubmit: true, WriteOff: true},
		"adopt and off": {ID: jobID, Adopt: taskID, WriteOff: true},
		"blank task":    {ID: jobID, Adopt: " "},
		"no job":        {WriteOff: true},
	} {
		t.Run(name, func(t *testing.T) {
			streams, _, _ := newStreams("")
			err := wrong.RunOn(t.Context(), starter.New(newTemporal(t), starter.Options{}), streams)
			require.Equal(t, command.ExitUsage, command.ExitCode(err), "%v", err)
		})
	}
}

func TestResolveThatHasNoEffect(t *testing.T) {
	writeOff := workflows.Resolution{Action: workflows.WriteOff}
	tests := []struct {
		name string
		set  func(*temporal, *run)
		took time.Duration
		err  string
	}{
		{
			"the job has nothing to resolve",
			func(_ *temporal, r *run) {
				r.update = func(workflows.Resolution) (any, error) {
					return nil, sdk.NewApplicationError("job x is in stage waiting: there is no submission with an unknown outcome to resolve", "")
				}
			},
			0, "not resolved: job x is in stage waiting: there is no submission with an unknown outcome to resolve; see: lumaflow status " + jobID,
		},
		{
			"the job has ended",
			func(_ *temporal, r *run) { r.end(statusFailed, time.Minute) },
			0, "job " + jobID + " has ended (failed), there is nothing to resolve; see: lumaflow status " + jobID,
		},
		{
			"the job ends meanwhile",
			func(_ *temporal, r *run) {
				r.update = func(workflows.Resolution) (any, error) {
					return nil, serviceerror.NewNotFound("workflow execution already completed")
				}
			},
			0, "job " + jobID + " has just ended, there is nothing to resolve; see: lumaflow status " + jobID,
		},
		{
			"no worker",
			func(f *temporal, _ *run) { f.worker = false },
			0, "job " + jobID + " can't take a decision now: no worker is polling task queue lumaflow; start one with: lumaflow worker",
		},
		{
			"a silent worker",
			func(*temporal, *run) {},
			starter.ResolveTimeout, "job " + jobID + " has not taken the decision in 1m30s and may still do so when a worker answers; see: lumaflow status " + jobID,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := newTemporal(t)
				test.set(fake, fake.job(jobID))
				began := time.Now()
				_, err := starter.New(fake, starter.Options{}).Resolve(t.Context(), jobID, writeOff)
				require.EqualError(t, err, test.err)
				require.Equal(t, test.took, time.Since(began))
			})
		})
	}
}

func TestResolveThatIsInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newTemporal(t)
		fake.job(jobID)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err := starter.New(fake, starter.Options{}).Resolve(ctx, jobID, workflows.Resolution{Action: workflows.Resubmit})
		require.EqualError(t, err, "interrupted: job "+jobID+" may still take the decision; see: lumaflow status "+jobID)
	})
}
