package workflows_test

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"

	"lumaflow/internal/cli/replay"
	"lumaflow/internal/temporal/devserver"
	"lumaflow/workflows"
)

const (
	// recordVariable has TestRecordHistories record.
	recordVariable = "LUMAFLOW_RECORD_HISTORIES"
	// histories is where the recorded histories are.
	histories = "testdata/histories"
	// recordTime bounds the life of one recorded job.
	recordTime = 3 * time.Minute
)

// TestRecordHistories lives through every scenario on a Temporal dev server and
// writes down the histories, with scripted activities under the production
// names:
//
//	LUMAFLOW_RECORD_HISTORIES=1 go test ./workflows -run TestRecordHistories -parallel 50
//
// It takes about a minute; with -run 'TestRecordHistories/all/woken-by-poll' it
// records one.
//
// Record with the released code, never with the branch under test: a history
// that a change has written itself proves nothing about the jobs that are open
// when the change is deployed. While jobs of an older release may be open, keep
// its histories under other names: every file is replayed.
func TestRecordHistories(t *testing.T) {
	if os.Getenv(recordVariable) == "" {
		t.Skipf("set %s=1 to record, with the released code", recordVariable)
	}
	recorder := newRecorder(t)
	require.NoError(t, os.MkdirAll(histories, 0o755))
	// The group returns when all scenarios have been played, in parallel.
	t.Run("all", func(t *testing.T) {
		for _, scenario := range scenarios() {
			t.Run(scenario.name, func(t *testing.T) {
				t.Parallel()
				history := recorder.record(t, scenario)
				scenario.save(t, history)
			})
		}
	})
}

func (s scenario) save(t *testing.T, history *historypb.History) {
	t.Helper()
	path := filepath.Join(histories, s.name)
	require.NoError(t, replay.WriteFile(path+".json", history))
	require.NoError(t, os.WriteFile(path+".txt", []byte(s.text(history)), 0o644))
}

// text is a scenario for people: what it is about, and its history.
func (s scenario) text(history *historypb.History) string {
	return "# " + s.name + ": " + s.about + "\n\n" + replay.Text(history)
}

// recorder plays scenarios on a dev server.
type recorder struct {
	client client.Client
	cast   *cast
}

func newRecorder(t *testing.T) *recorder {
	t.Helper()
	server, err := devserver.Start(t.Context(), devserver.Options{
		KeywordAttributes: []string{workflows.StageAttribute, workflows.TaskIDAttribute},
		Progress:          os.Stderr,
	})
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	// Nothing of the machine goes into the histories: neither its name as the
	// client's identity, nor as that of a sticky task queue.
	worker.SetStickyWorkflowCacheSize(0)
	temporal, err := client.DialContext(t.Context(), client.Options{
		HostPort: server.Address(),
		Identity: "lumaflow",
		Logger:   log.NewStructuredLogger(slog.New(slog.NewTextHandler(io.Discard, nil))),
	})
	require.NoError(t, err)
	t.Cleanup(temporal.Close)
	r := &recorder{client: temporal, cast: &cast{takes: map[string]*take{}}}
	r.work(t)
	return r
}

func (r *recorder) work(t *testing.T) {
	t.Helper()
	options := worker.Options{DisableRegistrationAliasing: true, MaxHeartbeatThrottleInterval: time.Second}
	jobs := worker.New(r.client, workflows.DefaultTaskQueue, options)
	submissions := worker.New(r.client, workflows.SubmitTaskQueue(workflows.DefaultTaskQueue), options)
	workflows.Register(jobs)
	r.cast.register(jobs)
	r.cast.register(submissions)
	for _, w := range []worker.Worker{jobs, submissions} {
		require.NoError(t, w.Start())
		t.Cleanup(w.Stop)
	}
}

// record plays a scenario to its end and checks that it ended as it should.
func (r *recorder) record(t *testing.T, scenario scenario) *historypb.History {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), recordTime)
	defer cancel()
	take := &take{t: t, ctx: ctx, client: r.client, scenario: scenario, calls: map[string]int{}, gate: make(chan struct{})}
	r.cast.add(take)
	run, err := r.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: scenario.name, TaskQueue: workflows.DefaultTaskQueue,
	}, workflows.ModifyVideoName, scenario.input)
	require.NoError(t, err)
	if scenario.drive != nil {
		scenario.drive(take)
	}
	take.endsAs(run.Get(ctx, nil))
	history := &historypb.History{}
	events := r.client.GetWorkflowHistory(ctx, scenario.name, run.GetRunID(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(t, err)
		history.Events = append(history.Events, event)
	}
	return history
}
