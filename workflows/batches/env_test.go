package batches_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
	"lumaflow/internal/manifest"
	"lumaflow/workflows"
	"lumaflow/workflows/batches"
)

// b stays nil: its methods serve as activity references.
var b *activities.Batches

const (
	batchID  = "default-test-workflow-id"
	location = "file:///srv/shots.jsonl"
	render   = 10 * time.Minute
	// timed is ModifyVideos, which records when it ends: the environment ends when the
	// jobs have, too.
	timed = "timed"
)

// shop is a batch of scripted jobs in a test environment, which skips time.
type shop struct {
	*testsuite.TestWorkflowEnvironment
	t *testing.T

	mu sync.Mutex
	// lines are the jobs of the manifest by their ids, in order.
	lines []string
	// found overrides what Temporal has of a job; ends are the jobs that have ended.
	found map[string]activities.FoundJob
	ends  map[string]activities.JobEnd
	held  map[string]string
	// elects, if set, names the job that probes.
	elects func(activities.SweepInput) string
	// outcome scripts the ends by id; the default is a video. silent jobs report none.
	outcome map[string]activities.JobEnd
	silent  map[string]bool
	// renders overrides the durations of the jobs.
	renders map[string]time.Duration
	// begun, if set, is called at the start of a job, reported returns what a job reports
	// instead of its end.
	begun    func(run workflow.Execution)
	reported func(end activities.JobEnd) []activities.JobEnd
	// standing, if set, is what Temporal has of a job that is not in found, and wrote is
	// called with the results that are written.
	standing func(jobID string) (found activities.FoundJob, ok bool)
	wrote    func(activities.ResultsInput)
	// open and most count the open jobs, starts lists the ids.
	open, most int
	starts     []string
	pages      []activities.PageInput
	sweeps     int
	results    map[int]activities.JobResult
	finishes   []activities.FinishInput
	paidBefore activities.PaidBefore
	updates    int
	// finishError, if set, is the result of the completion of the results.
	finishError error
	// lookup, if set, is the time that a look-up of the next jobs takes.
	lookup func() time.Duration
	// changedAt is the line from which the manifest is another one; 0 means none.
	changedAt int
	// ended is the end of a timed batch.
	ended time.Time
}

func newShop(t *testing.T, jobs int) *shop {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	s := &shop{
		TestWorkflowEnvironment: suite.NewTestWorkflowEnvironment(), t: t,
		found: map[string]activities.FoundJob{}, ends: map[string]activities.JobEnd{}, held: map[string]string{},
		outcome: map[string]activities.JobEnd{}, silent: map[string]bool{}, renders: map[string]time.Duration{}, results: map[int]activities.JobResult{},
	}
	for i := range jobs {
		s.lines = append(s.lines, id(i+1))
	}
	s.SetTestTimeout(time.Minute)
	s.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: time.Minute})
	batches.Register(s.TestWorkflowEnvironment)
	s.RegisterWorkflowWithOptions(func(ctx workflow.Context, input batches.Input) (batches.Result, error) {
		result, err := batches.ModifyVideos(ctx, input)
		s.ended = workflow.Now(ctx)
		return result, err
	}, workflow.RegisterOptions{Name: timed})
	s.RegisterWorkflowWithOptions(s.job, workflow.RegisterOptions{Name: workflows.ModifyVideoName})
	s.OnSignalExternalWorkflow(mock.Anything, batchID, "", workflows.JobEndSignal.Name, mock.Anything).Return(
		func(_, _, _, name string, end any) error {
			s.SignalWorkflow(name, end)
			return nil
		})
	s.OnActivity(b.CheckManifest, mock.Anything, mock.Anything).Return(func(context.Context, activities.ManifestInput) (activities.CheckedManifest, error) {
		duplicates := 0
		for _, found := range s.found {
			if found.State == activities.FoundRepeated {
				duplicates++
			}
		}
		return activities.CheckedManifest{Manifest: location, SHA256: "hash", Lines: len(s.lines), Duplicates: duplicates}, nil
	}).Maybe()
	s.OnActivity(b.NextJobs, mock.Anything, mock.Anything).Return(s.nextJobs).AfterFn(func() time.Duration {
		if s.lookup == nil {
			return 0
		}
		return s.lookup()
	}).Maybe()
	s.OnActivity(b.SweepJobs, mock.Anything, mock.Anything).Return(s.sweep).Maybe()
	s.OnActivity(b.CountCharges, mock.Anything, mock.Anything).Return(func(context.Context, activities.Batch) (activities.PaidBefore, error) { return s.paidBefore, nil }).Maybe()
	s.OnActivity(b.WriteResults, mock.Anything, mock.Anything).Return(s.write).Maybe()
	s.OnActivity(b.FinishResults, mock.Anything, mock.Anything).Return(func(_ context.Context, input activities.FinishInput) (string, error) {
		s.finishes = append(s.finishes, input)
		return "file:///srv/results.jsonl", s.finishError
	}).Maybe()
	return s
}

// id is the workflow id of the job of a line.
func id(line int) string { return fmt.Sprintf("job-%d", line) }

// job is a job of the batch: it reports its end, and Temporal has it.
func (s *shop) job(ctx workflow.Context, input workflows.ModifyVideoInput) (result workflows.ModifyVideoResult, err error) {
	info := workflow.GetInfo(ctx)
	jobID := info.WorkflowExecution.ID
	s.mu.Lock()
	s.starts = append(s.starts, jobID)
	s.open++
	s.most = max(s.most, s.open)
	duration, scripted := s.renders[jobID]
	if !scripted {
		duration = render
	}
	s.mu.Unlock()
	if s.begun != nil {
		s.begun(info.WorkflowExecution)
	}
	if input.Batch != batchID {
		//workflowcheck:ignore the job of a test
		s.t.Errorf("job %s belongs to batch %q", jobID, input.Batch)
	}
	if err := workflow.Sleep(ctx, duration); err != nil {
		return result, err
	}
	s.mu.Lock()
	end, ok := s.outcome[jobID]
	if !ok {
		end = activities.JobEnd{Outcome: activities.OutcomeDone, TaskID: "task-" + jobID, Files: []string{jobID + ".mp4"}, Charges: 1}
	}
	end.Job, end.Run = jobID, info.WorkflowExecution.RunID
	s.open--
	s.ends[jobID] = end
	silent := s.silent[jobID]
	s.mu.Unlock()
	reports := []activities.JobEnd{end}
	if s.reported != nil {
		reports = s.reported(end)
	}
	if silent {
		reports = nil
	}
	for _, report := range reports {
		if err := workflow.SignalExternalWorkflow(ctx, input.Batch, "", workflows.JobEndSignal.Name, report).Get(ctx, nil); err != nil {
			return result, err
		}
	}
	return result, nil
}

func (s *shop) nextJobs(_ context.Context, input activities.PageInput) (page activities.Page, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages = append(s.pages, input)
	if s.changedAt > 0 && input.Next >= s.changedAt {
		return page, temporal.NewNonRetryableApplicationError("the manifest has changed", batches.ManifestChanged, nil)
	}
	for index := input.Next; index < min(input.Next+input.Count, len(s.lines)); index++ {
		found, scripted := s.found[s.lines[index]]
		if !scripted && s.standing != nil {
			found, scripted = s.standing(s.lines[index])
		}
		if !scripted {
			found.State = activities.FoundNew
		}
		found.Order = manifest.Order{Line: index + 1, ID: s.lines[index], Repeats: found.Repeats, Adopts: found.Adopts, Input: json.RawMessage(`{"prompt":"p","videoUrl":"https://cdn.example.org/v.mp4"}`)}
		page.Jobs = append(page.Jobs, found)
	}
	return page, nil
}

func (s *shop) sweep(_ context.Context, input activities.SweepInput) (swept activities.Swept, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sweeps++; s.sweeps > 5000 {
		return swept, temporal.NewNonRetryableApplicationError(fmt.Sprintf("the batch waits forever for %v", input.Jobs), "Leak", nil)
	}
	for _, job := range input.Jobs {
		if reason := s.held[job]; reason != "" {
			swept.Held = append(swept.Held, activities.HeldJob{Job: job, Reason: reason})
			if swept.Probe == "" || job == input.Probe {
				swept.Probe = job
			}
		} else if end, over := s.ends[job]; over {
			swept.Ended = append(swept.Ended, end)
		}
	}
	if s.elects != nil {
		swept.Probe = s.elects(input)
	}
	return swept, nil
}

func (s *shop) write(_ context.Context, input activities.ResultsInput) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wrote != nil {
		s.wrote(input)
	}
	for _, result := range input.Results {
		s.results[result.Line] = result
	}
	return "file:///srv/results.jsonl", nil
}

// run runs the batch to its end.
func (s *shop) run(input batches.Input) (result batches.Result, err error) {
	s.t.Helper()
	if input.Manifest == "" {
		input.Manifest = location
	}
	s.ExecuteWorkflow(batches.ModifyVideosName, input)
	require.True(s.t, s.IsWorkflowCompleted())
	if err := s.GetWorkflowError(); err != nil {
		return result, err
	}
	require.NoError(s.t, s.GetWorkflowResult(&result))
	return result, nil
}

// progress queries the batch.
func (s *shop) progress() (progress batches.Progress) {
	s.t.Helper()
	value, err := s.QueryWorkflow(batches.ProgressQuery)
	require.NoError(s.t, err)
	require.NoError(s.t, value.Get(&progress))
	return progress
}

// after calls do when the batch has run for a time.
func (s *shop) after(delay time.Duration, do func()) { s.RegisterDelayedCallback(do, delay) }

// update sends an update. Its error has rejection in it, or there is none if that is
// empty.
func (s *shop) update(rejection, name string, args ...any) {
	answered := false
	check := func(err error) {
		answered = true
		if rejection == "" {
			require.NoError(s.t, err, name)
			return
		}
		require.ErrorContains(s.t, err, rejection, name)
	}
	s.updates++
	s.UpdateWorkflow(name, strconv.Itoa(s.updates), &testsuite.TestUpdateCallback{
		OnReject: check, OnAccept: func() {}, OnComplete: func(_ any, err error) { check(err) },
	}, args...)
	s.t.Cleanup(func() { require.True(s.t, answered, "%s has no answer", name) })
}

// failed is the end of a job without a video.
func failed(charges int) activities.JobEnd {
	return activities.JobEnd{Outcome: activities.OutcomeFailed, Failure: workflows.GenerationFailed, Reason: "moderation", Charges: charges}
}

// requireInvalid requires an InvalidRequest whose text has all the words.
func requireInvalid(t *testing.T, err error, words ...string) {
	t.Helper()
	var application *temporal.ApplicationError
	require.ErrorAs(t, err, &application)
	require.Equal(t, batches.InvalidRequest, application.Type())
	for _, word := range words {
		require.Contains(t, application.Message(), word)
	}
}
