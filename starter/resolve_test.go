package starter_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	sdk "go.temporal.io/sdk/temporal"

	"lumaflow/starter"
	"lumaflow/test/startertest"
	"lumaflow/workflows"
)

func TestResolveThatHasNoEffect(t *testing.T) {
	writeOff := workflows.Resolution{Action: workflows.WriteOff}
	tests := []struct {
		name string
		set  func(*startertest.Temporal, *startertest.Run)
		took time.Duration
		err  string
	}{
		{
			"the job has nothing to resolve",
			func(_ *startertest.Temporal, r *startertest.Run) {
				r.Update = func(workflows.Resolution) (any, error) {
					return nil, sdk.NewApplicationError("job x is in stage waiting: there is no submission with an unknown outcome to resolve", "")
				}
			},
			0, "not resolved: job x is in stage waiting: there is no submission with an unknown outcome to resolve; see: lumaflow status " + jobID,
		},
		{
			"the job has ended",
			func(_ *startertest.Temporal, r *startertest.Run) { r.End(statusFailed, time.Minute) },
			0, "job " + jobID + " has ended (failed), there is nothing to resolve; see: lumaflow status " + jobID,
		},
		{
			"the job ends meanwhile",
			func(_ *startertest.Temporal, r *startertest.Run) {
				r.Update = func(workflows.Resolution) (any, error) {
					return nil, serviceerror.NewNotFound("workflow execution already completed")
				}
			},
			0, "job " + jobID + " has just ended, there is nothing to resolve; see: lumaflow status " + jobID,
		},
		{
			"no worker",
			func(f *startertest.Temporal, _ *startertest.Run) { f.HasWorker = false },
			0, "job " + jobID + " can't take a decision now: no worker is polling task queue lumaflow; start one with: lumaflow worker",
		},
		{
			"a silent worker",
			func(*startertest.Temporal, *startertest.Run) {},
			starter.ResolveTimeout, "job " + jobID + " has not taken the decision in 1m30s and may still do so when a worker answers; see: lumaflow status " + jobID,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := startertest.New(t)
				test.set(fake, fake.Job(jobID))
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
		fake := startertest.New(t)
		fake.Job(jobID)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err := starter.New(fake, starter.Options{}).Resolve(ctx, jobID, workflows.Resolution{Action: workflows.Resubmit})
		require.EqualError(t, err, "interrupted: job "+jobID+" may still take the decision; see: lumaflow status "+jobID)
	})
}
