package e2e_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/activities"
	"lumaflow/starter"
	"lumaflow/test/s3test"
	"lumaflow/workflows/batches"
)

// A batch that began on an old version moves to the current one, and so do the jobs
// that it starts then; its open jobs stay on their version.
func TestBatchFollowsTheCurrentVersion(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{
		env:      []string{"TEMPORAL_DEPLOYMENT_NAME=" + newDeployment("e2e-batch"), "TEMPORAL_WORKER_BUILD_ID=v1"},
		simulate: []string{"--rate-limit", "0"},
	})
	w.runSuggested(w.worker.awaitOutput("this version gets no new jobs: `(.*)`"))
	location, lines := w.manifest("first [render: held]", "second", "third")
	b := w.startBatch(w.taskQueue+"-batch", batches.Input{Manifest: location, Concurrency: 1})
	first := b.child(lines[0])
	old := w.worker
	w.env = append(w.env, "TEMPORAL_WORKER_BUILD_ID=v2")
	w.startWorker()
	w.runSuggested(w.worker.awaitOutput("this version gets no new jobs: `(.*)`"))
	w.worker.awaitOutput("this version gets the new jobs")
	w.control("release", struct{}{})
	result, err := b.end()
	require.NoError(t, err)
	b.requireAllDone(result, 3)
	for id, version := range map[string]string{first: "v1", w.batchJob(lines[1]): "v2", w.batchJob(lines[2]): "v2", b.id: "v2"} {
		described, err := w.client.DescribeWorkflow(t.Context(), id, "")
		require.NoError(t, err)
		require.Equal(t, version, described.RawResponse.GetWorkflowExecutionInfo().GetVersioningInfo().GetDeploymentVersion().GetBuildId(), id)
	}
	require.Zero(t, old.stop())
}

// A batch whose manifest and output are objects of a bucket has its results there.
func TestBatchInABucket(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	w := enter(t, setup{env: inBucket(server), simulate: []string{"--rate-limit", "0"}})
	lines := []string{w.batchLine("one"), w.batchLine("two"), w.batchLine("none [fault: generation-failed]")}
	server.PutObject("lists/shots.jsonl", strings.Join(lines, "\n"))
	_, parameters, _ := strings.Cut(server.OutputURL(), "?")
	manifest := "s3://" + s3test.Bucket + "/lists/shots.jsonl?" + parameters
	result, err := w.startBatch("bucket-"+w.taskQueue, batches.Input{Manifest: manifest}).end()
	require.NoError(t, err)
	require.Equal(t, 2, result.Done, "%+v", result)
	require.Equal(t, 3, result.Charges)
	const results = "videos/bucket-"
	require.Equal(t, "s3://"+s3test.Bucket+"/"+results+w.taskQueue+".results.jsonl", result.Results)
	var outcomes []string
	for text := range strings.Lines(server.Objects()[results+w.taskQueue+".results.jsonl"]) {
		var line activities.JobResult
		require.NoError(t, json.Unmarshal([]byte(text), &line))
		outcomes = append(outcomes, line.Outcome)
		for _, file := range line.Files {
			require.Contains(t, server.Objects(), strings.TrimPrefix(file, "s3://"+s3test.Bucket+"/"))
		}
	}
	require.Equal(t, []string{activities.OutcomeDone, activities.OutcomeDone, activities.OutcomeFailed}, outcomes)

	// A list of more lines than are sent to Temporal goes through the bucket, too.
	long := make([]string, 0, batches.MaxItems+1)
	for range batches.MaxItems + 1 {
		long = append(long, lines[0])
	}
	got := w.run("batch", writeLines(t, long...), "--json")
	require.Zero(t, got.code, got.err)
	var report starter.BatchReport
	require.NoError(t, json.Unmarshal([]byte(got.out), &report))
	require.Equal(t, batches.MaxItems, report.Result.Duplicates)
	require.Equal(t, 1, report.Result.Existing)
	require.Equal(t, 3, w.ledger().Charges)

	server.PutObject("lists/shots.jsonl", lines[0])
	missing := w.startBatch("bucket-none-"+w.taskQueue, batches.Input{Manifest: strings.Replace(manifest, "shots", "none", 1)})
	_, err = missing.end()
	require.ErrorContains(t, err, "there is no manifest")
}
