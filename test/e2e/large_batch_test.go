package e2e_test

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"golang.org/x/sync/errgroup"

	"lumaflow/activities"
	"lumaflow/starter"
	"lumaflow/workflows"
	"lumaflow/workflows/batches"
)

// batchSizeVariable is the number of jobs of the proofs about large batches, which
// are measured only if it is set: they need an idle machine.
const batchSizeVariable = "LUMAFLOW_BATCH_JOBS"

// batchParts is the number of parts of a batch that is timed. About as many jobs as one
// part has run alone before, between and after them: the speed of the machine drifts, the
// server slows down as it fills, and each beginning and end has fewer open jobs.
const batchParts = 10

// batchSize is the number of jobs of a proof, and whether its times count.
func batchSize(t *testing.T, small int) (jobs int, timed bool) {
	t.Helper()
	value := os.Getenv(batchSizeVariable)
	if value == "" {
		return small, false
	}
	jobs, err := strconv.Atoi(value)
	require.NoError(t, err, batchSizeVariable)
	require.GreaterOrEqual(t, jobs, small, batchSizeVariable)
	return jobs, true
}

// A manifest of 10,000 lines is checked within 10 s, and starts no more than the canary.
func TestManyLines(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{simulate: []string{"--render", "10m"}})
	const lines = 10_000
	location, _ := w.manifest(numbered(lines)...)
	peakMemory := w.worker.watchMemory()
	began := time.Now()
	b := w.startBatch(w.taskQueue+"-batch", batches.Input{Manifest: location, Canary: 1})
	b.await("the manifest is accepted", func(p batches.Progress) bool { return p.Lines == lines && p.InFlight == 1 })
	took := time.Since(began)
	t.Logf("%d lines are accepted after %s; the worker's peak is %d MB of anonymous memory", lines, took.Round(time.Millisecond), peakMemory()>>20)
	require.Less(t, took, 10*time.Second)
}

// A large batch pays each job once, never has more jobs open than its window, and its
// histories and its state stay bounded. It takes hardly longer than the same number of
// jobs that a client starts at once.
func TestLargeBatch(t *testing.T) {
	t.Parallel()
	jobs, timed := batchSize(t, 60)
	window := min(200, max(jobs/5, 10))
	// kie.ai's limit, per 10 s, is the rate of the workers and a fifth more for bursts.
	w := enter(t, setup{
		env:      []string{"SUBMITS_PER_SECOND=50"},
		simulate: []string{"--rate-limit", "600", "--render", "200ms", "--credits", "100000000"},
	})
	count := 1
	if timed {
		count = batchParts
	}
	part := jobs / (count + 1)
	plain := part * (count + 1)
	alone := []time.Duration{w.runAlone("0", part)}

	peakMemory := w.worker.watchMemory()
	location, _ := w.manifest(numbered(jobs)...)
	began := time.Now()
	b := w.startBatch(w.taskQueue+"-batch", batches.Input{Manifest: location, Concurrency: window})
	var parts []time.Duration
	for i := 1; i < count; i++ {
		b.pauseAfter(jobs * i / count)
		parts = append(parts, time.Since(began).Round(time.Millisecond))
		alone = append(alone, w.runAlone(strconv.Itoa(i), part))
		began = time.Now()
		resumed := w.run("batch", "resume", b.id)
		require.Zero(t, resumed.code, resumed.err)
	}
	result, err := b.endWithin(patience + time.Duration(jobs)*time.Second)
	require.NoError(t, err)
	parts = append(parts, time.Since(began).Round(time.Millisecond))
	memory := peakMemory() >> 20
	alone = append(alone, w.runAlone("last", part))

	inBatch := sum(parts)
	t.Logf("%d jobs as a batch: %s %v, %.1f jobs/s; the worker's peak is %d MB of anonymous memory", jobs, inBatch, parts, float64(jobs)/inBatch.Seconds(), memory)
	// Each part is compared with the mean of the jobs alone before it and after it.
	around := (sum(alone[1:]) + sum(alone[:count])).Seconds() / float64(2*count*part)
	ratio := inBatch.Seconds() / float64(jobs) / around
	t.Logf("%d jobs alone: %v, %.1f jobs/s; a job of the batch takes %.3f times as long", plain, alone, 1/around, ratio)
	if timed {
		assert.LessOrEqual(t, ratio, 1.15)
	}

	ledger := w.ledger()
	t.Logf("%d charges, refused %v", ledger.Charges, ledger.Refused)
	require.Empty(t, ledger.Refused, "no submission exceeds the rate")
	require.Equal(t, jobs+plain, ledger.Charges)
	require.Equal(t, jobs, result.Charges)
	b.requireFiles(result, jobs, jobs+plain)
	b.requireBoundedRuns(window)
	b.requireWindow(window)
}

// pauseAfter pauses the batch when a number of jobs has ended, and waits for those that
// are open.
func (b *batch) pauseAfter(ended int) {
	b.t.Helper()
	limit := patience + time.Duration(ended)*time.Second
	require.Eventually(b.t, func() bool {
		progress, ok := b.progress()
		return ok && progress.Done+progress.Failed >= ended
	}, limit, time.Second, "%d jobs of the batch have ended", ended)
	paused := b.run("batch", "pause", b.id)
	require.Zero(b.t, paused.code, paused.err)
	b.await("the open jobs end", func(p batches.Progress) bool { return p.InFlight == 0 })
}

func sum(times []time.Duration) (total time.Duration) {
	for _, each := range times {
		total += each
	}
	return total
}

// runAlone starts jobs as a client does, all at once, and waits for their ends.
func (w *world) runAlone(name string, jobs int) (took time.Duration) {
	w.t.Helper()
	charges := w.ledger().Charges
	began := time.Now()
	starts, ctx := errgroup.WithContext(w.t.Context())
	starts.SetLimit(16)
	for i := range jobs {
		starts.Go(func() error {
			order, err := starter.ParseOrder([]byte(w.batchLine(fmt.Sprintf("alone %s %d", name, i))))
			if err != nil {
				return err
			}
			_, err = w.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
				ID: starter.JobID(order.Input, order.Key), TaskQueue: w.taskQueue,
				WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
			}, workflows.ModifyVideoName, order.Input)
			return err
		})
	}
	require.NoError(w.t, starts.Wait())
	query := fmt.Sprintf("TaskQueue = '%s' AND WorkflowType = '%s' AND ExecutionStatus = 'Running'", w.taskQueue, workflows.ModifyVideoName)
	require.Eventually(w.t, func() bool {
		count, err := w.client.CountWorkflow(w.t.Context(), &workflowservice.CountWorkflowExecutionsRequest{Query: query})
		return err == nil && count.GetCount() == 0 && w.ledger().Charges == charges+jobs
	}, patience+time.Duration(jobs)*time.Second, 250*time.Millisecond, "the jobs alone have ended")
	return time.Since(began).Round(time.Millisecond)
}

// listed returns the runs that a query of visibility finds.
func (w *world) listed(query string) (infos []*workflowpb.WorkflowExecutionInfo) {
	w.t.Helper()
	request := &workflowservice.ListWorkflowExecutionsRequest{Query: query, PageSize: 1000}
	for {
		page, err := w.client.ListWorkflow(w.t.Context(), request)
		require.NoError(w.t, err)
		infos = append(infos, page.GetExecutions()...)
		if request.NextPageToken = page.GetNextPageToken(); len(request.NextPageToken) == 0 {
			return infos
		}
	}
}

// requireWindow requires that never more jobs of the batch were open than its window.
// A job is open until it has reported its end: Temporal has it open a moment longer.
func (b *batch) requireWindow(window int) {
	b.t.Helper()
	reported := b.reports()
	untilReport, untilClose := &opened{}, &opened{}
	for _, job := range b.listed(fmt.Sprintf("ParentWorkflowId = '%s'", b.id)) {
		from, to := job.GetStartTime().AsTime(), job.GetCloseTime().AsTime()
		untilClose.add(from, to)
		if at, ok := reported[job.GetExecution().GetRunId()]; ok && at.Before(to) {
			to = at
		}
		untilReport.add(from, to)
	}
	b.t.Logf("at most %d jobs were open at once, the window is %d; Temporal had at most %d open", untilReport.most(), window, untilClose.most())
	require.Positive(b.t, untilReport.most())
	require.LessOrEqual(b.t, untilReport.most(), window)
}

// reports returns when the jobs have first reported their ends to the batch, by run: a
// workflow task that is repeated reports again.
func (b *batch) reports() map[string]time.Time {
	b.t.Helper()
	reported := map[string]time.Time{}
	for _, run := range b.listed(fmt.Sprintf("WorkflowId = '%s'", b.id)) {
		history := b.client.GetWorkflowHistory(b.t.Context(), b.id, run.GetExecution().GetRunId(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for history.HasNext() {
			event, err := history.Next()
			require.NoError(b.t, err)
			signal := event.GetWorkflowExecutionSignaledEventAttributes()
			if signal == nil {
				continue
			}
			var end activities.JobEnd
			require.NoError(b.t, converter.GetDefaultDataConverter().FromPayloads(signal.GetInput(), &end))
			at := event.GetEventTime().AsTime()
			if first, again := reported[end.Run]; !again || at.Before(first) {
				reported[end.Run] = at
			}
		}
	}
	return reported
}

// opened counts what is open at once.
type opened struct{ changes []change }

type change struct {
	at    time.Time
	delta int
}

func (o *opened) add(from, to time.Time) {
	o.changes = append(o.changes, change{from, 1}, change{to, -1})
}

func (o *opened) most() (most int) {
	slices.SortFunc(o.changes, func(x, y change) int { return cmp.Or(x.at.Compare(y.at), x.delta-y.delta) })
	open := 0
	for _, change := range o.changes {
		open += change.delta
		most = max(most, open)
	}
	return most
}

// requireBoundedRuns requires that no run of the batch has a long history, and that what
// it inherits depends on the window alone.
func (b *batch) requireBoundedRuns(window int) {
	b.t.Helper()
	const eventLimit, byteLimit = 10_000, 10 << 20
	runs := b.listed(fmt.Sprintf("WorkflowId = '%s'", b.id))
	require.NotEmpty(b.t, runs)
	var events, bytes int64
	state := 0
	for _, run := range runs {
		events, bytes = max(events, run.GetHistoryLength()), max(bytes, run.GetHistorySizeBytes())
		history := b.client.GetWorkflowHistory(b.t.Context(), b.id, run.GetExecution().GetRunId(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		first, err := history.Next()
		require.NoError(b.t, err)
		state = max(state, len(first.GetWorkflowExecutionStartedEventAttributes().GetInput().GetPayloads()[0].GetData()))
	}
	b.t.Logf("%d runs, the longest has %d events, the largest %d KB; the largest input is %d KB", len(runs), events, bytes>>10, state>>10)
	require.Less(b.t, events, int64(eventLimit))
	require.Less(b.t, bytes, int64(byteLimit))
	// The window, the last ends and the results that are to be written.
	require.Less(b.t, state, (window+150)*1024)
}
