package e2e_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"lumaflow/activities"
	"lumaflow/starter"
	"lumaflow/workflows"
	"lumaflow/workflows/batches"
)

// batch is a batch of a world.
type batch struct {
	*world
	id string
}

// manifest writes a manifest of jobs, whose prompts are the suffixes.
func (w *world) manifest(suffixes ...string) (location string, lines []string) {
	w.t.Helper()
	for _, suffix := range suffixes {
		lines = append(lines, w.batchLine(suffix))
	}
	return writeLines(w.t, lines...), lines
}

// numbered are the suffixes 0 to count-1.
func numbered(count int) (suffixes []string) {
	for i := range count {
		suffixes = append(suffixes, fmt.Sprintf("shot %d", i))
	}
	return suffixes
}

// startBatch starts a batch, again if it has ended.
func (w *world) startBatch(id string, input batches.Input) *batch {
	w.t.Helper()
	_, err := w.client.ExecuteWorkflow(w.t.Context(), client.StartWorkflowOptions{
		ID: id, TaskQueue: w.taskQueue, WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
	}, batches.ModifyVideosName, input)
	require.NoError(w.t, err)
	return &batch{world: w, id: id}
}

// progress queries the batch; ok is false if that fails.
func (b *batch) progress() (progress batches.Progress, ok bool) {
	ctx, cancel := context.WithTimeout(b.t.Context(), 5*time.Second)
	defer cancel()
	value, err := b.client.QueryWorkflow(ctx, b.id, "", batches.ProgressQuery)
	if err != nil {
		return progress, false
	}
	return progress, value.Get(&progress) == nil
}

// await waits until the progress meets a condition.
func (b *batch) await(what string, condition func(batches.Progress) bool) {
	b.t.Helper()
	b.until(what, func() bool {
		progress, ok := b.progress()
		return ok && condition(progress)
	})
}

// end waits for the end of the batch.
func (b *batch) end() (result batches.Result, err error) {
	b.t.Helper()
	return b.endWithin(5 * patience)
}

func (b *batch) endWithin(limit time.Duration) (result batches.Result, err error) {
	ctx, cancel := context.WithTimeout(b.t.Context(), limit)
	defer cancel()
	err = b.client.GetWorkflow(ctx, b.id, "").Get(ctx, &result)
	return result, err
}

// results reads the file of results.
func (b *batch) results(result batches.Result) (results []activities.JobResult) {
	b.t.Helper()
	location, err := url.Parse(result.Results)
	require.NoError(b.t, err)
	file, err := os.Open(location.Path)
	require.NoError(b.t, err)
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var line activities.JobResult
		require.NoError(b.t, json.Unmarshal(lines.Bytes(), &line))
		results = append(results, line)
	}
	require.NoError(b.t, lines.Err())
	return results
}

// requireAllDone requires one line in order, one charge and one file for each job.
func (b *batch) requireAllDone(result batches.Result, jobs int) {
	b.t.Helper()
	require.Equal(b.t, jobs, b.ledger().Charges)
	b.requireFiles(result, jobs, jobs)
}

// requireFiles requires one line in order for each job, and the number of files.
func (b *batch) requireFiles(result batches.Result, jobs, stored int) {
	b.t.Helper()
	require.Equal(b.t, jobs, result.Done, "%+v", result)
	require.Zero(b.t, result.Failed)
	require.Empty(b.t, result.Stopped)
	results := b.results(result)
	require.Len(b.t, results, jobs)
	for i, line := range results {
		require.Equal(b.t, i+1, line.Line)
		require.Equal(b.t, activities.OutcomeDone, line.Outcome)
		require.Len(b.t, line.Files, 1)
	}
	files, err := filepath.Glob(filepath.Join(b.output, "luma_result_*.mp4"))
	require.NoError(b.t, err)
	require.Len(b.t, files, stored)
}

// The jobs of a batch are those that a client would start: each is charged once, and
// the same batch again costs nothing.
func TestModifyVideos(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{simulate: []string{"--rate-limit", "0"}})
	location, lines := w.manifest(numbered(12)...)
	alone := w.run("submit", "--input", lines[3], "--wait")
	require.Zero(t, alone.code, alone.err)
	b := w.startBatch(w.taskQueue+"-batch", batches.Input{Manifest: location, Concurrency: 4})
	result, err := b.end()
	require.NoError(t, err)
	b.requireAllDone(result, 12)
	require.Equal(t, 1, result.Existing)
	require.Equal(t, 11, result.Charges, "what was paid alone is no charge of the batch")
	first := b.results(result)

	again := w.startBatch(b.id, batches.Input{Manifest: location})
	result, err = again.end()
	require.NoError(t, err)
	again.requireAllDone(result, 12)
	require.Equal(t, 12, result.Existing)
	require.Equal(t, 11, result.Charges)
	for i, line := range again.results(result) {
		require.Equal(t, first[i].Run, line.Run)
		require.Equal(t, first[i].Files, line.Files)
	}
}

// child waits until the task of the job of a line is accepted and returns its id.
func (b *batch) child(line string) string {
	b.t.Helper()
	id := b.batchJob(line)
	b.awaitJobStage(id, workflows.StageWaiting)
	return id
}

// Jobs of a batch that are terminated, reset or deleted, and one that another client has
// started, are counted right within a minute.
func TestChildrenOfABatch(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{simulate: []string{"--rate-limit", "0"}})
	held := numbered(5)
	for i := range held {
		held[i] += " [render: held]"
	}
	location, lines := w.manifest(held...)
	// The job of another client ends after those of the batch.
	w.start(w.batchJob(lines[4]), lines[4])
	b := w.startBatch(w.taskQueue+"-batch", batches.Input{Manifest: location})
	terminated, reset, deleted := b.child(lines[0]), b.child(lines[1]), b.child(lines[2])
	ctx := t.Context()
	require.NoError(t, w.client.TerminateWorkflow(ctx, terminated, "", "by hand"))
	w.reset(reset, "FirstWorkflowTask")
	_, err := w.client.WorkflowService().DeleteWorkflowExecution(ctx, &workflowservice.DeleteWorkflowExecutionRequest{
		Namespace: client.DefaultNamespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: deleted},
	})
	require.NoError(t, err)
	began := time.Now()
	b.await("the terminated and the deleted job are counted", func(p batches.Progress) bool { return p.Failed == 2 })
	require.Less(t, time.Since(began), time.Minute)

	w.control("release", struct{}{})
	result, err := b.end()
	require.NoError(t, err)
	require.Less(t, time.Since(began), 100*time.Second, "no slot waits for a job that is gone")
	require.Equal(t, 3, result.Done, "%+v", result)
	require.Equal(t, 2, result.Failed)
	require.Equal(t, 4, result.Charges, "the deleted job counts as paid, the other client's does not")
	require.Equal(t, 5, w.ledger().Charges, "the job that was reset adopts its task")
	var outcomes []string
	for _, line := range b.results(result) {
		outcomes = append(outcomes, line.Outcome)
	}
	done := activities.OutcomeDone
	require.Equal(t, []string{activities.OutcomeTerminated, done, activities.OutcomeDeleted, done, done}, outcomes)
}

// batchJob is the id of the job of a line.
func (w *world) batchJob(line string) string {
	w.t.Helper()
	order, err := starter.ParseOrder([]byte(line))
	require.NoError(w.t, err)
	return starter.JobID(order.Input, order.Key)
}

// A worker that is killed again and again, a batch that is reset, and one that is
// terminated and started again: each job is charged once, and the results are complete.
func TestRobustBatch(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{simulate: []string{"--rate-limit", "0"}})
	jobs, _ := batchSize(t, 120)
	kills := max(4, jobs/50)
	// A worker that dies between its intent to send and the request leaves a job whose
	// outcome no callback proves: it submits again when its recovery window is over.
	var lines []string
	for _, suffix := range numbered(jobs) {
		line := strings.TrimSuffix(w.batchLine(suffix), "}")
		lines = append(lines, line+`,"recoveryWindow":"20s","onUnknownSubmit":"resubmit"}`)
	}
	input := batches.Input{Manifest: writeLines(t, lines...), Concurrency: 20}
	b := w.startBatch(w.taskQueue+"-batch", input)
	ended := func(count int) {
		t.Helper()
		b.until(fmt.Sprintf("%d files are stored", count), func() bool {
			files, err := filepath.Glob(filepath.Join(w.output, "luma_result_*.mp4"))
			return err == nil && len(files) >= count
		})
	}
	// The deaths are spread over two thirds of the jobs; the batch is reset and terminated
	// in between.
	for kill := range kills {
		ended(5 + kill*jobs*2/3/kills)
		switch kill {
		case kills / 2:
			w.reset(b.id, "FirstWorkflowTask")
		case kills - 1:
			require.NoError(t, w.client.TerminateWorkflow(t.Context(), b.id, "", "by hand"))
			b = w.startBatch(b.id, input)
		}
		w.worker.kill()
		w.startWorker()
	}
	result, err := b.endWithin(5*patience + time.Duration(jobs)*time.Second)
	require.NoError(t, err)
	b.requireAllDone(result, jobs)
	// A submission that was lost with its worker counts as paid.
	require.GreaterOrEqual(t, result.Charges, jobs)
	counted := 0
	for _, line := range b.results(result) {
		counted += line.Charges
	}
	require.Equal(t, result.Charges, counted, "each charge is that of one line")
}
