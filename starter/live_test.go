package starter_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	sdk "go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
	"lumaflow/internal/cli/jobs"
	"lumaflow/internal/command"
	"lumaflow/starter"
	"lumaflow/workflows"
)

// TestAgainstTemporal repeats the main cases of the other tests on a real server,
// because startertest fakes its starts, queries, updates, heartbeats and histories.
func TestAgainstTemporal(t *testing.T) {
	temporal, address := devServer(t)
	release := make(chan struct{}, 1)
	work(t, temporal, release)
	s := starter.New(temporal, starter.Options{Interval: 50 * time.Millisecond})

	job, err := s.Submit(t.Context(), request, "")
	require.NoError(t, err)
	require.False(t, job.Existing)
	again, err := s.Submit(t.Context(), request, "")
	require.NoError(t, err)
	require.True(t, again.Existing)
	require.Equal(t, job.RunID, again.RunID)

	t.Run("resolve is refused", func(t *testing.T) {
		_, err := s.Resolve(t.Context(), jobID, workflows.Resolution{Action: workflows.WriteOff})
		require.EqualError(t, err, "not resolved: nothing to resolve here; see: lumaflow status "+jobID)
	})

	t.Run("watch to the end", func(t *testing.T) {
		halfway := false
		report, err := s.Watch(t.Context(), jobID, func(p starter.Progress) {
			if p.Stage == workflows.StageCollecting && p.Bytes == 500 && p.Total == 1000 && !halfway {
				halfway = true
				release <- struct{}{}
			}
		})
		require.NoError(t, err)
		require.True(t, halfway)
		require.Equal(t, starter.StateCompleted, report.State)
		require.Equal(t, taskID, report.Result.TaskID)
		require.Equal(t, workflows.StageCollecting, report.Status.Stage)

		done, err := s.Submit(t.Context(), request, "")
		require.NoError(t, err)
		require.Equal(t, starter.StateCompleted, done.State)
	})

	t.Run("a cancelled job that is paid", func(t *testing.T) {
		job := submitted(t, s, "cancel")
		outcome, err := s.Cancel(t.Context(), job.WorkflowID, "ann@studio", "wrong clip")
		require.NoError(t, err)
		require.Equal(t, &starter.Failure{Type: "Canceled", Message: "cancelled, and task " + taskID + " is paid"}, outcome.Report.Failure)
		requirePaid(t, s, "cancel")
	})

	t.Run("a terminated job that is paid", func(t *testing.T) {
		job := submitted(t, s, "terminate")
		require.NoError(t, temporal.TerminateWorkflow(t.Context(), job.WorkflowID, "", "by mistake"))
		report, err := s.Status(t.Context(), job.WorkflowID)
		require.NoError(t, err)
		require.Equal(t, starter.StateTerminated, report.State)
		require.Contains(t, report.Failure.Message, "(by mistake)")
		requirePaid(t, s, "terminate")
	})

	t.Run("list", func(t *testing.T) {
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			entries, _, err := s.List(t.Context(), starter.Filter{Failed: true, TaskQueue: "lumaflow", Limit: 50})
			require.NoError(c, err)
			require.Len(c, entries, 2)
		}, 30*time.Second, 100*time.Millisecond)
		_, _, err := s.List(t.Context(), starter.Filter{Stage: workflows.StageHeld, Limit: 50})
		require.ErrorContains(t, err, "search-attribute create")
	})

	t.Run("a mark", func(t *testing.T) { startsAMarkedTask(t, temporal, s) })

	t.Run("no worker", func(t *testing.T) {
		idle := starter.New(temporal, starter.Options{TaskQueue: "idle"})
		job, err := idle.Submit(t.Context(), request, "idle")
		require.NoError(t, err)
		report, err := idle.Status(t.Context(), job.WorkflowID)
		require.NoError(t, err)
		require.Equal(t, starter.StateRunning, report.State)
		require.Equal(t, "no worker is polling task queue idle; start one with: lumaflow worker --task-queue idle", report.Note)
		_, err = idle.Resolve(t.Context(), job.WorkflowID, workflows.Resolution{Action: workflows.Resubmit})
		require.ErrorContains(t, err, "can't take a decision now")
	})

	t.Run("from the command line", func(t *testing.T) {
		t.Setenv("TEMPORAL_ADDRESS", address)
		var out, messages bytes.Buffer
		streams := command.Streams{Out: &out, Err: &messages}
		require.NoError(t, (&jobs.StatusCommand{ID: jobID, JSON: true}).Run(t.Context(), streams))
		var report starter.Report
		require.NoError(t, json.Unmarshal(out.Bytes(), &report))
		require.Equal(t, starter.StateCompleted, report.State)
		require.Empty(t, messages.String())
	})

	t.Run("no job", func(t *testing.T) {
		_, err := s.Status(t.Context(), "nope")
		require.ErrorIs(t, err, starter.ErrNoJob)
	})
}

// submitted starts a job and waits until it has its task.
func submitted(t *testing.T, s *starter.Starter, key string) starter.Job {
	t.Helper()
	job, err := s.Submit(t.Context(), request, key)
	require.NoError(t, err)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		report, err := s.Status(t.Context(), job.WorkflowID)
		require.NoError(c, err)
		require.Equal(c, taskID, report.TaskID)
	}, 30*time.Second, 50*time.Millisecond)
	return job
}

func requirePaid(t *testing.T, s *starter.Starter, key string) {
	t.Helper()
	var paid *starter.PaidError
	_, err := s.Submit(t.Context(), request, key)
	require.ErrorAs(t, err, &paid)
	require.Equal(t, taskID, paid.TaskID)
}

// devServer starts a Temporal server, if Temporal's CLI is installed.
func devServer(t *testing.T) (temporal client.Client, address string) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a Temporal server")
	}
	cli := os.Getenv("TEMPORAL_CLI")
	if cli == "" {
		found, err := exec.LookPath("temporal")
		if err != nil {
			t.Skip("set TEMPORAL_CLI to the temporal binary of Temporal's CLI")
		}
		cli = found
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	server, err := testsuite.StartDevServer(ctx, testsuite.DevServerOptions{
		ExistingPath:  cli,
		LogLevel:      "error",
		Stdout:        io.Discard,
		Stderr:        io.Discard,
		ClientOptions: &client.Options{Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler))},
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		server.Client().Close()
		if err := server.Stop(); err != nil && !strings.Contains(err.Error(), "signal") {
			t.Errorf("stop the Temporal server: %v", err)
		}
	})
	return server.Client(), server.FrontendHostPort()
}

// work runs a small ModifyVideo whose downloads wait for release.
func work(t *testing.T, temporal client.Client, release <-chan struct{}) {
	t.Helper()
	working := worker.New(temporal, workflows.DefaultTaskQueue, worker.Options{})
	working.RegisterWorkflowWithOptions(tiny, workflow.RegisterOptions{Name: workflows.ModifyVideoName})
	working.RegisterActivityWithOptions(func(context.Context, string) (activities.Submitted, error) {
		return activities.Submitted{TaskID: taskID}, nil
	}, activity.RegisterOptions{Name: "Submit"})
	working.RegisterActivityWithOptions(func(ctx context.Context) error {
		activity.RecordHeartbeat(ctx, activities.DownloadProgress{Bytes: 500, Total: 1000})
		select {
		case <-release:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}, activity.RegisterOptions{Name: "Download"})
	require.NoError(t, working.Start())
	t.Cleanup(working.Stop)
}

func tiny(ctx workflow.Context, _ workflows.ModifyVideoInput) (workflows.ModifyVideoResult, error) {
	status := workflows.Status{Stage: workflows.StageSubmitting}
	var none workflows.ModifyVideoResult
	if err := workflow.SetQueryHandler(ctx, workflows.StatusQuery, func() (workflows.Status, error) { return status, nil }); err != nil {
		return none, err
	}
	err := workflow.SetUpdateHandlerWithOptions(ctx, workflows.ResolveUpdate,
		func(workflow.Context, workflows.Resolution) (workflows.Status, error) { return status, nil },
		workflow.UpdateHandlerOptions{Validator: func(workflows.Resolution) error { return sdk.NewApplicationError("nothing to resolve here", "") }})
	if err != nil {
		return none, err
	}
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute, HeartbeatTimeout: 30 * time.Second})
	var submitted activities.Submitted
	if err := workflow.ExecuteActivity(ctx, "Submit", "").Get(ctx, &submitted); err != nil {
		return none, err
	}
	status.Stage, status.TaskID = workflows.StageCollecting, submitted.TaskID
	if err := workflow.ExecuteActivity(ctx, "Download").Get(ctx, nil); err != nil {
		return none, sdk.NewCanceledError("cancelled, and task " + submitted.TaskID + " is paid")
	}
	return workflows.ModifyVideoResult{TaskID: submitted.TaskID}, nil
}
