package starter_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	"lumaflow/activities"
	"lumaflow/starter"
	"lumaflow/test/startertest"
	"lumaflow/workflows"
)

// watching watches a job in the background and records the progress.
type watching struct {
	shown  []starter.Progress
	report starter.Report
	err    error
	done   chan struct{}
}

func watch(ctx context.Context, s *starter.Starter) *watching {
	w := &watching{done: make(chan struct{})}
	go func() {
		defer close(w.done)
		w.report, w.err = s.Watch(ctx, jobID, func(p starter.Progress) { w.shown = append(w.shown, p) })
	}()
	return w
}

// last is the last progress, after all goroutines have blocked.
func (w *watching) last() starter.Progress {
	synctest.Wait()
	return w.shown[len(w.shown)-1]
}

func TestWatchShowsAJobToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := startertest.New(t)
		job := fake.Job(jobID).Answers(workflows.Status{Stage: workflows.StageWaiting, TaskID: taskID, Detail: "kie.ai works"})
		w := watch(t.Context(), starter.New(fake, starter.Options{}))
		require.Equal(t, starter.Progress{
			WorkflowID: jobID, State: starter.StateRunning, Stage: workflows.StageWaiting, TaskID: taskID, Detail: "kie.ai works", Total: -1,
		}, w.last())

		heartbeat := job.History.Payloads(activities.DownloadProgress{Bytes: 250, Total: 1000})
		fake.Do(func() {
			job.Answers(workflows.Status{Stage: workflows.StageCollecting, TaskID: taskID, Videos: []workflows.Video{{Bytes: 500}}})
			job.Pending = []*workflowpb.PendingActivityInfo{
				{ActivityType: &commonpb.ActivityType{Name: "Download"}, HeartbeatDetails: heartbeat},
				{ActivityType: &commonpb.ActivityType{Name: "WriteReceipt"}},
			}
		})
		time.Sleep(2 * time.Second)
		require.Equal(t, workflows.StageCollecting, w.last().Stage)
		require.Empty(t, w.last().Detail)
		require.EqualValues(t, 750, w.last().Bytes)
		require.EqualValues(t, 1500, w.last().Total)
		require.Equal(t, 2*time.Second, w.last().Elapsed)

		download := job.Pending[0]
		fake.Do(func() {
			download.LastFailure = startertest.FailureOf(startertest.ApplicationError(activities.StorageUnavailable, "store v: access\ndenied"))
		})
		time.Sleep(2 * time.Second)
		require.EqualValues(t, 1500, w.last().Total, "a running retry has a total")
		fake.Do(func() {
			download.State, download.NextAttemptScheduleTime = enumspb.PENDING_ACTIVITY_STATE_SCHEDULED, timestamppb.New(time.Now().Add(30*time.Second))
		})
		time.Sleep(2 * time.Second)
		require.Equal(t, "store v: access denied; it is retried", w.last().Detail)
		require.EqualValues(t, -1, w.last().Total, "the failure replaces the bytes")

		fake.Do(func() { job.Answers(workflows.Status{Stage: workflows.StageDone}) })
		time.Sleep(2 * time.Second)
		require.Equal(t, workflows.StageCollecting, w.last().Stage, "the end is shown after the run has closed")

		fake.Do(func() {
			job.History.EndCompleted(workflows.ModifyVideoResult{TaskID: taskID})
			job.End(statusCompleted, time.Minute)
		})
		<-w.done
		require.NoError(t, w.err)
		require.Equal(t, starter.StateCompleted, w.report.State)
		require.Equal(t, taskID, w.report.Result.TaskID)
		require.Equal(t, starter.Progress{WorkflowID: jobID, State: starter.StateCompleted, TaskID: taskID, Elapsed: time.Minute, Total: -1}, w.last())
	})
}

func TestWatchTotalNeedsAllSizes(t *testing.T) {
	download := &commonpb.ActivityType{Name: "Download"}
	h := startertest.NewHistory(t, request)
	known := h.Payloads(activities.DownloadProgress{Bytes: 10, Total: 100})
	tests := []struct {
		name      string
		heartbeat *commonpb.Payloads
		bytes     int64
	}{
		{"no heartbeat yet", nil, 10},
		{"size unknown", h.Payloads(activities.DownloadProgress{Bytes: 5, Total: -1}), 15},
		{"unreadable", h.Payloads("half"), 10},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := startertest.New(t)
				job := fake.Job(jobID).Answers(workflows.Status{Stage: workflows.StageCollecting})
				job.Pending = []*workflowpb.PendingActivityInfo{
					{ActivityType: download, HeartbeatDetails: known},
					{ActivityType: download, HeartbeatDetails: test.heartbeat},
				}
				ctx, cancel := context.WithCancel(t.Context())
				w := watch(ctx, starter.New(fake, starter.Options{}))
				require.Equal(t, test.bytes, w.last().Bytes)
				require.EqualValues(t, -1, w.last().Total)
				cancel()
				<-w.done
			})
		})
	}
}

// Without a worker the queries become rarer, and the progress is still shown.
func TestWatchWithoutAWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := startertest.New(t)
		job := fake.Job(jobID).Answers(workflows.Status{Stage: workflows.StageWaiting})
		ctx, cancel := context.WithCancel(t.Context())
		w := watch(ctx, starter.New(fake, starter.Options{}))
		require.Empty(t, w.last().Silence)
		fake.Do(func() { job.Answer = nil })
		time.Sleep(10 * time.Minute)
		require.Equal(t, "no worker answers", w.last().Silence)
		require.Equal(t, workflows.StageWaiting, w.last().Stage, "the last known stage")
		require.Less(t, len(w.shown), 30)

		fake.Do(func() { job.Answers(workflows.Status{Stage: workflows.StageCollecting}) })
		time.Sleep(starter.MaxInterval)
		require.Equal(t, workflows.StageCollecting, w.last().Stage)
		require.Empty(t, w.last().Silence)
		cancel()
		<-w.done
	})
}

func TestWatchEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := startertest.New(t)
		fake.Job(jobID).Answers(workflows.Status{Stage: workflows.StageWaiting, TaskID: taskID})
		enough := errors.New("enough")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, enough)
		defer cancel()
		w := watch(ctx, starter.New(fake, starter.Options{}))
		<-w.done
		require.ErrorIs(t, w.err, enough)
		require.Equal(t, starter.StateRunning, w.report.State)
		require.Equal(t, taskID, w.report.TaskID)
	})
}

// A watch outlasts restarts of Temporal.
func TestWatchOutlastsAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := startertest.New(t)
		job := fake.Job(jobID).Answers(workflows.Status{Stage: workflows.StageWaiting})
		flaky := &flaky{Temporal: fake}
		w := watch(t.Context(), starter.New(flaky, starter.Options{}))
		synctest.Wait()
		for range 3 {
			fake.Do(func() { fake.Down = serviceerror.NewUnavailable("restarting") })
			time.Sleep(starter.Outage - 10*time.Second)
			require.Equal(t, "Temporal does not answer", w.last().Silence)
			fake.Do(func() { fake.Down = nil })
			time.Sleep(time.Minute)
			require.Empty(t, w.last().Silence)
		}
		fake.Do(func() {
			job.History.EndTerminated()
			job.End(statusTerminated, time.Minute)
		})
		<-w.done
		require.NoError(t, w.err)
		require.Equal(t, starter.StateTerminated, w.report.State)
	})
}

func TestWatchEndsAfterLongOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := startertest.New(t)
		fake.Job(jobID)
		flaky := &flaky{Temporal: fake}
		w := watch(t.Context(), starter.New(flaky, starter.Options{}))
		synctest.Wait()
		began := time.Now()
		fake.Do(func() { fake.Down = serviceerror.NewUnavailable("gone") })
		<-w.done
		require.ErrorContains(t, w.err, "Temporal has not answered for 5m0s; job "+jobID+" continues by itself")
		require.InDelta(t, starter.Outage.Seconds(), time.Since(began).Seconds(), 60)
	})
}

func TestWatchWithoutPermission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := startertest.New(t)
		fake.Job(jobID)
		_, err := starter.New(&forbidding{fake}, starter.Options{}).Watch(t.Context(), jobID, noProgress)
		require.EqualError(t, err, "wait for job "+jobID+": read how "+jobID+" ended: not for you")
	})
}

func TestWaitForSeveralJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := startertest.New(t)
		for _, id := range []string{"a", "b"} {
			job := fake.Job(id).Answers(workflows.Status{Stage: workflows.StageWaiting})
			time.AfterFunc(time.Duration(id[0]-'a'+1)*time.Minute, func() {
				fake.Do(func() {
					job.History.EndCompleted(workflows.ModifyVideoResult{TaskID: id})
					job.End(statusCompleted, time.Minute)
				})
			})
		}
		began := time.Now()
		reports, err := starter.New(fake, starter.Options{}).Wait(t.Context(), []string{"b", "a"}, noProgress)
		require.NoError(t, err)
		require.Equal(t, 2*time.Minute, time.Since(began))
		require.Equal(t, "b", reports[0].TaskID)
		require.Equal(t, "a", reports[1].TaskID)
	})
}

// An unknown id is an error before the wait.
func TestWaitRejectsUnknownJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := startertest.New(t)
		fake.Job("a")
		_, err := starter.New(fake, starter.Options{}).Wait(t.Context(), []string{"a", "nope"}, noProgress)
		require.ErrorIs(t, err, starter.ErrNoJob)
	})
}

func TestWaitForJobsThatHaveEnded(t *testing.T) {
	fake := startertest.New(t)
	fake.Job("a").End(statusTerminated, time.Minute).History.EndTerminated()
	reports, err := starter.New(fake, starter.Options{}).Wait(t.Context(), []string{"a"}, noProgress)
	require.NoError(t, err)
	require.Equal(t, starter.FailureTerminated, reports[0].Failure.Type)
}
