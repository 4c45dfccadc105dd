package workflows_test

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"

	"lumaflow/internal/temporal/devserver"
	"lumaflow/test/historyfile"
	"lumaflow/workflows"
)

const (
	// recordVariable is the environment variable that enables TestRecordHistories.
	recordVariable = "LUMAFLOW_RECORD_HISTORIES"
	// histories is the folder of the recorded histories.
	histories = "testdata/histories"
	// recordTime bounds the recording of one job.
	recordTime = 3 * time.Minute
)

// TestRecordHistories runs every scenario on a Temporal dev server, with scripted
// activities under the production names, and writes the histories to testdata:
//
//	LUMAFLOW_RECORD_HISTORIES=1 go test ./workflows -run TestRecordHistories -parallel 50
//
// It takes about a minute; with -run 'TestRecordHistories/all/woken-by-poll' it
// records one.
//
// Record with the released code, never with the branch under test: a history that
// a change recorded proves nothing about the jobs that are open when the change is
// deployed. While jobs of an older release may be open, keep
// its histories under other names: every file is replayed.
func TestRecordHistories(t *testing.T) {
	if os.Getenv(recordVariable) == "" {
		t.Skipf("set %s=1 to record, with the released code", recordVariable)
	}
	recorder := newRecorder(t)
	require.NoError(t, os.MkdirAll(histories, 0o750))
	// The group returns when all parallel scenarios have ended.
	t.Run("all", func(t *testing.T) {
		for _, s := range scenarios() {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				for i, history := range recorder.record(t, s) {
					s.save(t, s.fileNames()[i], history)
				}
			})
		}
	})
}

// fileNames are the names of the scenario's histories, without suffix.
func (s scenario) fileNames() []string {
	if s.runs == 0 {
		return []string{s.name}
	}
	names := make([]string, s.runs)
	for i := range names {
		names[i] = fmt.Sprintf("%s.run-%d", s.name, i+1)
	}
	return names
}

func (s scenario) save(t *testing.T, name string, history *historypb.History) {
	t.Helper()
	path := filepath.Join(histories, name)
	require.NoError(t, historyfile.Write(path+".json", history))
	require.NoError(t, os.WriteFile(path+".txt", []byte(s.text(name, history)), 0o600))
}

// text is the readable form of a history, with the scenario as its heading.
func (s scenario) text(name string, history *historypb.History) string {
	return "# " + name + ": " + s.about + "\n\n" + historyfile.Text(history)
}

// recorder runs scenarios on a dev server.
type recorder struct {
	client     client.Client
	activities *scriptedActivities
	// attributes is false if the workers on vanishingQueue find no search attributes.
	attributes atomic.Bool
}

// vanishingQueue is the task queue of jobs that lose their search attributes.
const vanishingQueue = "lumaflow-vanishing"

func newRecorder(t *testing.T) *recorder {
	t.Helper()
	server, err := devserver.Start(t.Context(), devserver.Options{
		KeywordAttributes: []string{workflows.StageAttribute, workflows.TaskIDAttribute},
		Progress:          os.Stderr,
	})
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	// The histories must not contain the name of the machine, which is part of the
	// default client identity and of the name of a sticky task queue.
	worker.SetStickyWorkflowCacheSize(0)
	temporal, err := client.DialContext(t.Context(), client.Options{
		HostPort: server.Address(),
		Identity: "lumaflow",
		Logger:   log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	require.NoError(t, err)
	t.Cleanup(temporal.Close)
	r := &recorder{client: temporal, activities: &scriptedActivities{recordings: map[string]*recording{}}}
	r.attributes.Store(true)
	r.startWorkers(t, workflows.DefaultTaskQueue, nil)
	r.startWorkers(t, vanishingQueue, r.attributes.Load)
	return r
}

func (r *recorder) startWorkers(t *testing.T, taskQueue string, attributes func() bool) {
	t.Helper()
	options := worker.Options{DisableRegistrationAliasing: true, MaxHeartbeatThrottleInterval: time.Second}
	jobs := worker.New(r.client, taskQueue, options)
	submissions := worker.New(r.client, workflows.SubmitTaskQueue(taskQueue), options)
	workflows.Register(jobs, attributes)
	r.activities.register(jobs)
	r.activities.register(submissions)
	for _, w := range []worker.Worker{jobs, submissions} {
		require.NoError(t, w.Start())
		t.Cleanup(w.Stop)
	}
}

// record runs a scenario to the end of its latest run, checks the result and
// returns the histories of the runs, the first first.
func (r *recorder) record(t *testing.T, s scenario) []*historypb.History {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), recordTime)
	defer cancel()
	rec := &recording{t: t, ctx: ctx, client: r.client, scenario: s, calls: map[string]int{}, gate: make(chan struct{}), attributes: &r.attributes}
	r.activities.add(rec)
	rec.start(s.input)
	if s.drive != nil {
		s.drive(rec)
	}
	rec.checkEnd(r.client.GetWorkflow(ctx, s.name, "").Get(ctx, nil))
	var recorded []*historypb.History
	for i := 0; i < len(rec.runIDs) && i < len(s.fileNames()); i++ {
		history := rec.history(rec.runIDs[i])
		recorded = append(recorded, history)
		if next := nextRun(history); next != "" {
			rec.runIDs = append(rec.runIDs, next)
		}
	}
	require.Len(t, recorded, len(s.fileNames()))
	return recorded
}

// nextRun is the run that Temporal started when the run ended: that of a retry
// policy or of a cron schedule; empty if there is none.
func nextRun(history *historypb.History) string {
	last := history.GetEvents()[len(history.GetEvents())-1]
	return cmp.Or(
		last.GetWorkflowExecutionCompletedEventAttributes().GetNewExecutionRunId(),
		last.GetWorkflowExecutionFailedEventAttributes().GetNewExecutionRunId(),
		last.GetWorkflowExecutionTimedOutEventAttributes().GetNewExecutionRunId(),
		last.GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId(),
	)
}
