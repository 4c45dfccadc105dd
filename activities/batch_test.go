package activities_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"lumaflow/activities"
	"lumaflow/internal/paid"
	"lumaflow/internal/paid/runs"
	"lumaflow/internal/store"
	"lumaflow/internal/temporal/codec"
	"lumaflow/starter"
	"lumaflow/test/startertest"
	"lumaflow/workflows"
)

const batchID = "shots"

// batchFixture runs the activities of a batch against a fake Temporal and a directory.
type batchFixture struct {
	t      *testing.T
	acts   *activities.Batches
	server *startertest.Temporal
	folder string
	// lists is the folder whose manifests may be read.
	lists string
}

func newBatchFixture(t *testing.T) *batchFixture {
	t.Helper()
	f := &batchFixture{t: t, server: startertest.New(t), folder: t.TempDir(), lists: t.TempDir()}
	videos, err := store.Open(t.Context(), f.folder)
	require.NoError(t, err)
	f.acts, err = activities.NewBatches(activities.BatchOptions{
		Runs:         runs.Reader{Server: f.server, Data: converter.GetDefaultDataConverter()},
		Payloads:     codec.Codec{}.ForClient(),
		Store:        videos,
		Format:       starter.Manifest,
		ManifestDirs: []string{f.lists},
		WorkDir:      t.TempDir(),
	})
	require.NoError(t, err)
	return f
}

// execute runs an activity and returns its result.
func execute[T any](f *batchFixture, activity, input any) (result T, err error) {
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(activity)
	value, err := env.ExecuteActivity(activity, input)
	if err == nil {
		require.NoError(f.t, value.Get(&result))
	}
	return result, err
}

// line is a line of a manifest and job its workflow id.
func line(prompt string) string {
	return fmt.Sprintf(`{"prompt":%q,"videoUrl":%q}`, prompt, startertest.Video)
}

func job(prompt string) string {
	return starter.JobID(workflows.ModifyVideoInput{Prompt: prompt, VideoURL: startertest.Video}, "")
}

// manifest writes a manifest and checks it.
func (f *batchFixture) manifest(lines ...string) activities.Batch {
	f.t.Helper()
	path := filepath.Join(f.lists, "shots.jsonl")
	require.NoError(f.t, os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600))
	checked, err := execute[activities.CheckedManifest](f, f.acts.CheckManifest, activities.ManifestInput{Batch: activities.Batch{ID: batchID, Manifest: path}})
	require.NoError(f.t, err)
	return activities.Batch{ID: batchID, Manifest: checked.Manifest, SHA256: checked.SHA256}
}

func (f *batchFixture) next(input activities.PageInput) []activities.FoundJob {
	f.t.Helper()
	page, err := execute[activities.Page](f, f.acts.NextJobs, input)
	require.NoError(f.t, err)
	return page.Jobs
}

// results reads the file of results.
func (f *batchFixture) results() (lines []string) {
	f.t.Helper()
	data, err := os.ReadFile(filepath.Join(f.folder, "shots.results.jsonl"))
	require.NoError(f.t, err)
	for text := range bytes.Lines(data) {
		lines = append(lines, strings.TrimSpace(string(text)))
	}
	return lines
}

func TestCheckManifest(t *testing.T) {
	f := newBatchFixture(t)
	items := []byte(line("a") + "\n" + line("b") + "\n" + line("a") + "\n")
	checked, err := execute[activities.CheckedManifest](f, f.acts.CheckManifest, activities.ManifestInput{Batch: activities.Batch{ID: batchID}, Items: items})
	require.NoError(t, err)
	require.Equal(t, "shots.manifest.jsonl", checked.Manifest)
	require.Equal(t, 3, checked.Lines)
	require.Equal(t, 1, checked.Duplicates)
	stored, err := os.ReadFile(filepath.Join(f.folder, checked.Manifest))
	require.NoError(t, err)
	require.Equal(t, items, stored)
	found := f.next(activities.PageInput{Batch: activities.Batch{ID: batchID, Manifest: checked.Manifest, SHA256: checked.SHA256}, Count: 10})
	require.Len(t, found, 3)
	require.Equal(t, activities.FoundRepeated, found[2].State)
	require.Equal(t, 1, found[2].Repeats)
}

func TestInvalidManifests(t *testing.T) {
	f := newBatchFixture(t)
	for content, words := range map[string]string{
		"":                            "holds no job",
		"\n\n":                        "holds no job",
		line("a") + "\nnope":          "line 2: the input is malformed",
		line("a") + "\n{\"promt\":1}": "line 2: promt is no field of the input: did you mean prompt?",
		`{"prompt":"p","videoUrl":"https://example.org/v.mp4","batch":"b"}`:       "line 1: batch is set by the batch",
		line("a") + "\n" + strings.Replace(line("a"), "}", `,"name":"other"}`, 1): "line 2: it is the same job as line 1",
		strings.Repeat("nope\n", 30):                                              "30 lines of the manifest",
	} {
		path := filepath.Join(f.lists, "bad.jsonl")
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		_, err := execute[activities.CheckedManifest](f, f.acts.CheckManifest, activities.ManifestInput{Batch: activities.Batch{ID: batchID, Manifest: path}})
		requireFailure(t, err, activities.InvalidRequest, words)
	}
	for _, malformed := range []string{"relative/none.jsonl", "ftp://host/x", "s3://"} {
		_, err := execute[activities.CheckedManifest](f, f.acts.CheckManifest, activities.ManifestInput{Batch: activities.Batch{ID: batchID, Manifest: malformed}})
		requireFailure(t, err, activities.InvalidRequest, "can't be opened")
	}
}

// A file outside of the folders of manifests is not distinguished from a missing one.
func TestForeignManifests(t *testing.T) {
	f := newBatchFixture(t)
	outside := filepath.Join(t.TempDir(), "outside.jsonl")
	require.NoError(t, os.WriteFile(outside, []byte(line("a")), 0o600))
	link, folder := filepath.Join(f.lists, "link.jsonl"), filepath.Join(f.lists, "folder")
	require.NoError(t, os.Symlink(outside, link))
	require.NoError(t, os.Mkdir(folder, 0o700))
	for _, location := range []string{
		outside, "file://" + outside, link, folder, f.lists + "/../" + filepath.Base(filepath.Dir(outside)) + "/outside.jsonl",
		filepath.Join(f.lists, "none.jsonl"), "none.jsonl",
	} {
		_, err := execute[activities.CheckedManifest](f, f.acts.CheckManifest, activities.ManifestInput{Batch: activities.Batch{ID: batchID, Manifest: location}})
		var failed *temporal.ApplicationError
		require.ErrorAs(t, err, &failed)
		require.Equal(t, activities.InvalidRequest, failed.Type())
		require.Equal(t, "there is no manifest "+location+" that this worker may read: give the name of a file in OUTPUT_URL, an object of a bucket, or a file in a folder of MANIFEST_DIRS", failed.Message())
	}
	inside := filepath.Join(folder, "inside.jsonl")
	require.NoError(t, os.WriteFile(inside, []byte(line("a")), 0o600))
	for _, location := range []string{inside, "file://" + inside} {
		_, err := execute[activities.CheckedManifest](f, f.acts.CheckManifest, activities.ManifestInput{Batch: activities.Batch{ID: batchID, Manifest: location}})
		require.NoError(t, err)
	}
}

// requireFailure requires a permanent application error.
func requireFailure(t *testing.T, err error, errorType, words string) {
	t.Helper()
	var failed *temporal.ApplicationError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, errorType, failed.Type(), failed.Message())
	require.True(t, failed.NonRetryable())
	require.Contains(t, failed.Message(), words)
}

// A manifest that is not the one that was checked yields no job.
func TestManifestChanged(t *testing.T) {
	f := newBatchFixture(t)
	batch := f.manifest(line("a"), line("b"))
	require.NoError(t, os.WriteFile(batch.Manifest, []byte(line("a")+"\n"+line("c")), 0o600))
	_, err := execute[activities.Page](f, f.acts.NextJobs, activities.PageInput{Batch: batch, Count: 1})
	requireFailure(t, err, activities.ManifestChanged, "has changed")
	require.NoError(t, os.Remove(batch.Manifest))
	_, err = execute[activities.Page](f, f.acts.NextJobs, activities.PageInput{Batch: batch, Count: 1})
	requireFailure(t, err, activities.ManifestChanged, "is gone")
}

// The lines before a page are parsed unless none is repeated.
func TestUniqueManifest(t *testing.T) {
	f := newBatchFixture(t)
	content := []byte("no job\n" + line("a"))
	sum := sha256.Sum256(content)
	batch := activities.Batch{ID: batchID, Manifest: filepath.Join(f.lists, "shots.jsonl"), SHA256: hex.EncodeToString(sum[:])}
	require.NoError(t, os.WriteFile(batch.Manifest, content, 0o600))
	found := f.next(activities.PageInput{Batch: batch, Next: 1, Count: 1, Unique: true})
	require.Len(t, found, 1)
	require.Equal(t, job("a"), found[0].ID)
	require.Equal(t, 2, found[0].Line)
	_, err := execute[activities.Page](f, f.acts.NextJobs, activities.PageInput{Batch: batch, Next: 1, Count: 1})
	requireFailure(t, err, activities.ManifestChanged, "rejects")
}

const (
	statusFailed     = enumspb.WORKFLOW_EXECUTION_STATUS_FAILED
	statusCompleted  = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
	statusTerminated = enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED
)

// jobs adds one job of each kind and returns their lines.
func (f *batchFixture) jobs() []string {
	done := f.server.Job(job("done")).End(statusCompleted, 0)
	done.Parent = batchID
	cost := 28.5
	done.History.EndCompleted(workflows.ModifyVideoResult{TaskID: "t-done", Model: "aleph", Credits: &cost, Videos: []workflows.Video{{Location: "file:///v/done.mp4"}}})
	f.server.Job(job("open")).Parent = batchID
	f.server.Job(job("stranger"))
	refused := f.server.Job(job("refused")).End(statusFailed, 0)
	refused.History.EndFailed(startertest.ApplicationError(workflows.SubmitRefused, "refused", paid.Facts{}))
	moderated := f.server.Job(job("moderated")).End(statusFailed, 0)
	moderated.Parent = batchID
	moderated.History.EndFailed(startertest.ApplicationError(workflows.GenerationFailed, "moderation", paid.Facts{TaskID: "t-moderated", Model: "wan/2-7-videoedit"}))
	overdue := f.server.Job(job("overdue")).End(statusFailed, 0)
	overdue.Parent = batchID
	overdue.History.EndFailed(startertest.ApplicationError(workflows.ResultOverdue, "overdue",
		paid.Facts{TaskID: "t-overdue", PaidOpen: true, Next: "lumaflow submit --task-id t-overdue"}))
	unknown := f.server.Job(job("unknown")).End(statusFailed, 0)
	unknown.Parent = batchID
	unknown.History.EndFailed(startertest.ApplicationError(workflows.SubmitUnknown, "unknown", paid.Facts{PaidOpen: true}))
	var lines []string
	for _, prompt := range []string{"new", "done", "open", "stranger", "refused", "moderated", "overdue", "unknown"} {
		lines = append(lines, line(prompt))
	}
	return lines
}

// Jobs that may be paid are never to be started; with RetryFailed only a job without a
// video pays again, and a task that is paid is collected.
func TestNextJobs(t *testing.T) {
	f := newBatchFixture(t)
	batch := f.manifest(f.jobs()...)
	type summary struct {
		state   string
		charges int
		pays    bool
	}
	summarize := func(found []activities.FoundJob) (all []summary) {
		for _, job := range found {
			all = append(all, summary{job.State, job.Charges, job.Pays})
		}
		return all
	}
	found := f.next(activities.PageInput{Batch: batch, Count: 50})
	require.Equal(t, []summary{
		{activities.FoundNew, 0, false}, {activities.FoundEnded, 1, false}, {activities.FoundOpen, 0, true}, {activities.FoundOpen, 0, false},
		{activities.FoundAgain, 0, false}, {activities.FoundEnded, 1, false}, {activities.FoundEnded, 1, false}, {activities.FoundEnded, 1, false},
	}, summarize(found))
	require.Equal(t, []string{"file:///v/done.mp4"}, found[1].End.Files)
	require.Equal(t, "t-done", found[1].End.TaskID)
	require.Equal(t, workflows.GenerationFailed, found[5].End.Failure)
	require.Equal(t, "lumaflow submit --task-id t-overdue", found[6].End.Next)
	require.JSONEq(t, line("new"), string(found[0].Input))

	retried := f.next(activities.PageInput{Batch: batch, Count: 50, RetryFailed: true})
	require.Equal(t, activities.FoundAgain, retried[5].State)
	require.Equal(t, activities.FoundAgain, retried[6].State)
	require.Equal(t, runs.CollectorID("t-overdue"), retried[6].Collector)
	require.JSONEq(t, `{"taskId":"t-overdue"}`, string(retried[6].Input))
	require.True(t, retried[6].Adopts)
	require.Equal(t, activities.FoundEnded, retried[7].State, "a task with an unknown id can't be collected, and may be paid")

	// The task was collected since.
	collector := f.server.Job(runs.CollectorID("t-overdue")).End(statusCompleted, 0)
	collector.History.EndCompleted(workflows.ModifyVideoResult{TaskID: "t-overdue", Videos: []workflows.Video{{Location: "file:///v/overdue.mp4"}}})
	collected := f.next(activities.PageInput{Batch: batch, Next: 6, Count: 1})
	require.Len(t, collected, 1)
	require.Equal(t, activities.OutcomeDone, collected[0].End.Outcome)

	// A reset run has the task of the run before.
	f.server.Runs[job("open")].Memo = &paid.Facts{TaskID: "t-open", PaidOpen: true}
	before := f.server.Runs[job("moderated")]
	f.server.Do(func() { f.server.EarlierRuns = append(f.server.EarlierRuns, before) })
	reset := f.server.Job(job("moderated"))
	reset.RunID += "-reset"
	reset.Parent, reset.Memo = batchID, &paid.Facts{TaskID: "t-moderated", PaidOpen: true}
	charges, err := execute[activities.PaidBefore](f, f.acts.CountCharges, batch)
	require.NoError(t, err)
	require.Equal(t, activities.PaidBefore{Charges: 5, Open: map[string]int{job("open"): 1, job("moderated"): 1}}, charges)
}

// An id without a latest run whose earlier run may have paid is not new.
func TestForgottenJob(t *testing.T) {
	f := newBatchFixture(t)
	f.jobs()
	forgotten := f.server.Runs[job("overdue")]
	f.server.Do(func() {
		delete(f.server.Runs, forgotten.ID)
		f.server.EarlierRuns = append(f.server.EarlierRuns, forgotten)
	})
	found := f.next(activities.PageInput{Batch: f.manifest(line("overdue")), Count: 1})
	require.Equal(t, activities.FoundEnded, found[0].State)
	require.Equal(t, "t-overdue", found[0].End.TaskID)
}

func TestSweepJobs(t *testing.T) {
	f := newBatchFixture(t)
	f.jobs()
	stranger := f.server.Job(job("stranger done")).End(statusCompleted, 0)
	stranger.History.EndCompleted(workflows.ModifyVideoResult{TaskID: "t"})
	terminated := f.server.Job(job("terminated")).End(statusTerminated, 0)
	terminated.Parent, terminated.Memo = batchID, &paid.Facts{TaskID: "t-terminated", PaidOpen: true}
	terminated.History.EndTerminated()
	refusedAt := time.Now().UTC()
	hold := func(prompt, parent string, paused bool, at time.Time) {
		details, err := converter.GetDefaultDataConverter().ToPayloads(activities.Hold{Code: 402, Reason: "the account has no credit", RefusedAt: at})
		require.NoError(t, err)
		run := f.server.Job(job(prompt))
		run.Parent, run.Pending = parent, []*workflowpb.PendingActivityInfo{{
			ActivityType: &commonpb.ActivityType{Name: "Submit"}, Paused: paused,
			LastFailure: &failurepb.Failure{FailureInfo: &failurepb.Failure_ApplicationFailureInfo{
				ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{Type: activities.Held, Details: details},
			}},
		}}
	}
	hold("of another batch", "other", false, refusedAt.Add(2*time.Minute))
	hold("paused", batchID, true, refusedAt)
	hold("held", batchID, false, refusedAt)
	hold("held too", batchID, false, refusedAt.Add(2*time.Minute))
	var ids []string
	for _, prompt := range []string{"done", "open", "moderated", "stranger done", "terminated", "of another batch", "paused", "held", "deleted", "held too"} {
		ids = append(ids, job(prompt))
	}
	swept, err := execute[activities.Swept](f, f.acts.SweepJobs, activities.SweepInput{Batch: activities.Batch{ID: batchID}, Jobs: ids})
	require.NoError(t, err)
	require.ElementsMatch(t, []activities.HeldJob{
		{Job: job("of another batch"), Reason: "the account has no credit", RefusedAt: refusedAt.Add(2 * time.Minute)},
		{Job: job("held"), Reason: "the account has no credit", RefusedAt: refusedAt, Own: true},
		{Job: job("held too"), Reason: "the account has no credit", RefusedAt: refusedAt.Add(2 * time.Minute), Own: true},
	}, swept.Held)
	for name, test := range map[string]struct {
		before    string
		openSince time.Time
		probe     string
	}{
		"none yet":                           {"", time.Time{}, job("held")},
		"still held":                         {job("held too"), time.Time{}, job("held too")},
		"still held, although it seemed not": {job("held too"), refusedAt.Add(time.Minute), job("held too")},
		"accepted":                           {job("open"), time.Time{}, ""},
		"of another batch":                   {job("of another batch"), time.Time{}, ""},
		"accepted, others wait":              {job("open"), refusedAt.Add(time.Hour), ""},
		"accepted, another is refused then":  {job("open"), refusedAt.Add(time.Minute), job("held too")},
	} {
		again, err := execute[activities.Swept](f, f.acts.SweepJobs, activities.SweepInput{
			Batch: activities.Batch{ID: batchID}, Jobs: ids, Probe: test.before, OpenSince: test.openSince,
		})
		require.NoError(t, err)
		require.Equal(t, test.probe, again.Probe, name)
	}
	ends := map[string]activities.JobEnd{}
	for _, end := range swept.Ended {
		ends[end.Job] = end
	}
	require.Len(t, ends, 5)
	require.Equal(t, activities.OutcomeDone, ends[job("done")].Outcome)
	require.Equal(t, 1, ends[job("moderated")].Charges)
	require.Zero(t, ends[job("stranger done")].Charges, "another client pays for its jobs")
	require.Equal(t, activities.OutcomeTerminated, ends[job("terminated")].Outcome)
	require.Equal(t, "t-terminated", ends[job("terminated")].TaskID)
	require.Equal(t, activities.OutcomeDeleted, ends[job("deleted")].Outcome)
	require.Equal(t, 1, ends[job("deleted")].Charges, "unknown counts as paid")
}

// The lines of a file of results that are results, in order, are kept.
func TestStoredResults(t *testing.T) {
	f := newBatchFixture(t)
	batch := f.manifest(line("a"), line("b"), line("c"))
	const first, third = `{"line":1,"job":"x","outcome":"failed","reason":"<1>"}`, `{"line":3,"job":"z","outcome":"done","files":["b.mp4"]}`
	stored := first + "\r\n\nnull\n{\"line\":2\n{\"line\":1}\n{\"line\":3,\"files\":\"a.mp4\"}\n" + third
	require.NoError(t, os.WriteFile(filepath.Join(f.folder, "shots.results.jsonl"), []byte(stored), 0o600))
	_, err := execute[string](f, f.acts.WriteResults, activities.ResultsInput{Batch: batch, Results: []activities.JobResult{{Line: 2, JobEnd: activities.JobEnd{Job: "y", Outcome: "done"}}}})
	require.NoError(t, err)
	require.Equal(t, []string{first, `{"line":2,"job":"y","outcome":"done"}`, third}, f.results())
}

// The results are in the order of the manifest, whatever the order of the ends, and
// complete after the loss of the file.
func TestResults(t *testing.T) {
	f := newBatchFixture(t)
	batch := f.manifest(append(f.jobs(), line("done"), line("late"))...)
	result := func(number int, prompt, outcome string) activities.JobResult {
		return activities.JobResult{Line: number, JobEnd: activities.JobEnd{Job: job(prompt), Outcome: outcome}}
	}
	write := func(fresh bool, results ...activities.JobResult) {
		t.Helper()
		location, err := execute[string](f, f.acts.WriteResults, activities.ResultsInput{Batch: batch, Results: results, Fresh: fresh})
		require.NoError(t, err)
		require.Contains(t, location, "/shots.results.jsonl")
	}
	write(true, result(5, "refused", "failed"), result(2, "done", "failed"))
	write(false, result(7, "overdue", "failed"), result(2, "done", "done"), result(1, "new", "done"))
	write(false, result(7, "overdue", "failed"), result(2, "done", "done"), result(1, "new", "done"))
	got := f.results()
	require.Len(t, got, 4)
	for i, prefix := range []string{`{"line":1,`, `{"line":2,`, `{"line":5,`, `{"line":7,`} {
		require.True(t, strings.HasPrefix(got[i], prefix), got[i])
	}
	require.Contains(t, got[1], `"outcome":"done"`, "the later result replaces the earlier one")

	finish := func() []string {
		t.Helper()
		_, err := execute[string](f, f.acts.FinishResults, activities.FinishInput{Batch: batch, Next: 9, Stopped: "budget"})
		require.NoError(t, err)
		return f.results()
	}
	complete := finish()
	require.Len(t, complete, 10)
	require.Contains(t, complete[2], `"outcome":"open"`)
	require.Contains(t, complete[5], `"reason":"moderation"`)
	require.Contains(t, complete[8], `"outcome":"duplicate"`)
	require.Contains(t, complete[9], `"outcome":"not-started"`)
	require.Contains(t, complete[9], `"reason":"budget"`)
	require.Equal(t, complete, finish(), "it is idempotent")

	// A batch that is started again, and stopped, does not come to all jobs that it has.
	_, err := execute[string](f, f.acts.FinishResults, activities.FinishInput{Batch: batch, Stopped: "budget"})
	require.NoError(t, err)
	stopped := f.results()
	require.Len(t, stopped, 10)
	require.Contains(t, stopped[0], `"outcome":"not-started"`)
	require.Contains(t, stopped[1], "file:///v/done.mp4")
	require.Contains(t, stopped[2], `"outcome":"open"`)
	require.Contains(t, stopped[6], `"next":"lumaflow submit --task-id t-overdue"`)
	require.Contains(t, stopped[9], `"outcome":"not-started"`)

	// The budget did not permit the jobs from a line on: those without a final result are
	// read, and one that Temporal has not is not started.
	write(true, result(8, "unknown", "done"), result(3, "open", "not-started"))
	_, err = execute[string](f, f.acts.FinishResults, activities.FinishInput{Batch: batch, Next: 10, SkippedFrom: 3, Stopped: "budget"})
	require.NoError(t, err)
	skipped := f.results()
	require.Len(t, skipped, 10)
	require.Contains(t, skipped[2], `"outcome":"open"`)
	require.Contains(t, skipped[7], `"outcome":"done"`, "a result that the batch has written stays")
	require.Contains(t, skipped[9], `"outcome":"not-started","reason":"budget"`)

	require.NoError(t, os.Remove(filepath.Join(f.folder, "shots.results.jsonl")))
	require.Len(t, finish(), 10)
	require.Contains(t, f.results()[1], "file:///v/done.mp4", "a lost result is read from Temporal")
	require.Contains(t, f.results()[1], `"model":"aleph","credits":28.5,`)
	require.Contains(t, f.results()[5], `"model":"wan/2-7-videoedit"`)
}
