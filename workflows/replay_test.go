package workflows_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"lumaflow/internal/cli/replay"
	"lumaflow/test/historyfile"
	"lumaflow/workflows"
)

// renderVariable has TestHistoriesAreReadable write the texts instead of reading
// them, after a change of how histories are written.
const renderVariable = "LUMAFLOW_RENDER_HISTORIES"

// recorded are the recorded histories by name: those of all scenarios, and those
// that older releases have left.
func recorded(t *testing.T) map[string]*historypb.History {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(histories, "*.json"))
	require.NoError(t, err)
	found := map[string]*historypb.History{}
	for _, path := range paths {
		history, err := historyfile.Read(path)
		require.NoError(t, err)
		found[strings.TrimSuffix(filepath.Base(path), ".json")] = history
	}
	for _, scenario := range scenarios() {
		require.Contains(t, found, scenario.name, "record the scenario: see TestRecordHistories")
	}
	return found
}

// A job that is open when a worker of this build takes over goes on as if
// nothing had happened, whatever it has been through.
func TestHistoriesReplay(t *testing.T) {
	for name, history := range recorded(t) {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, replay.Replay(t.Context(), history, replay.Options{}))
		})
	}
}

// happensTo are the events that a job does not decide itself. What it decides is
// stored at once with the workflow task, so that nobody sees half of it.
var happensTo = []enumspb.EventType{
	enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
	enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED,
	enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
	enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED,
	enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED,
	enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED,
	enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT,
	enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED,
	enumspb.EVENT_TYPE_TIMER_FIRED,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED,
}

// Jobs are met in the middle: every history is replayed as it was before each of
// the events that happened to it.
func TestUnfinishedHistoriesReplay(t *testing.T) {
	for name, history := range recorded(t) {
		t.Run(name, func(t *testing.T) {
			for length, next := range history.GetEvents() {
				if slices.Contains(happensTo, next.GetEventType()) {
					cut := &historypb.History{Events: history.GetEvents()[:length]}
					require.NoError(t, replay.Replay(t.Context(), cut, replay.Options{}), "before event %d", length+1)
				}
			}
		})
	}
}

// A replay that can't fail proves nothing. Each of these changes would strand
// open jobs.
func TestReplayNoticesWhatWouldStrandJobs(t *testing.T) {
	changes := map[string]func(workflow.Context, workflows.ModifyVideoInput) (workflows.ModifyVideoResult, error){
		"a timer before everything": func(ctx workflow.Context, input workflows.ModifyVideoInput) (workflows.ModifyVideoResult, error) {
			if err := workflow.Sleep(ctx, time.Second); err != nil {
				return workflows.ModifyVideoResult{}, err
			}
			return workflows.ModifyVideo(ctx, input)
		},
		"an end before everything": func(workflow.Context, workflows.ModifyVideoInput) (result workflows.ModifyVideoResult, err error) {
			return result, nil
		},
		"an end that never comes": func(ctx workflow.Context, input workflows.ModifyVideoInput) (result workflows.ModifyVideoResult, err error) {
			// What it returns is what the change forgets.
			_, _ = workflows.ModifyVideo(ctx, input)
			ctx, _ = workflow.NewDisconnectedContext(ctx)
			return result, workflow.Await(ctx, func() bool { return false })
		},
		"a failure swallowed, a result lost": func(ctx workflow.Context, input workflows.ModifyVideoInput) (result workflows.ModifyVideoResult, err error) {
			if _, err = workflows.ModifyVideo(ctx, input); err == nil {
				return result, workflow.ErrCanceled
			}
			return result, nil
		},
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			changed := replay.Options{Register: func(registry worker.WorkflowRegistry) {
				registry.RegisterWorkflowWithOptions(change, workflow.RegisterOptions{Name: workflows.ModifyVideoName})
			}}
			for scenario, history := range recorded(t) {
				var broken *replay.BreakError
				require.ErrorAs(t, replay.Replay(t.Context(), history, changed), &broken, scenario)
				assert.NotContains(t, broken.Reason, "\n")
				assert.Less(t, len(broken.Reason), 400)
			}
		})
	}
}

// The texts beside the histories are documentation, and true.
func TestHistoriesAreReadable(t *testing.T) {
	all := scenarios()
	for name, history := range recorded(t) {
		index := slices.IndexFunc(all, func(s scenario) bool { return s.name == name })
		known := scenario{name: name, about: "recorded by an earlier release"}
		if index >= 0 {
			known = all[index]
		}
		path := filepath.Join(histories, name+".txt")
		if os.Getenv(renderVariable) != "" {
			require.NoError(t, os.WriteFile(path, []byte(known.text(history)), 0o644))
			continue
		}
		written, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Equal(t, known.text(history), string(written), "%s: to write the texts anew set %s=1", path, renderVariable)
		// A heading, a blank line and one for each event.
		assert.Equal(t, 2+len(history.GetEvents()), strings.Count(string(written), "\n"), path)
	}
}

// A job that nothing goes wrong with costs no more than it must.
func TestTheHappyPathIsShort(t *testing.T) {
	events := recorded(t)[happyPath].GetEvents()
	require.Equal(t, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, events[len(events)-1].GetEventType())
	require.LessOrEqual(t, len(events), 32)
}

func TestScenariosHaveNamesOfTheirOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, scenario := range scenarios() {
		require.False(t, seen[scenario.name], scenario.name)
		require.NotEmpty(t, scenario.about, scenario.name)
		seen[scenario.name] = true
	}
}

// Histories go into the repository: nothing of the machine that recorded them
// goes with them.
func TestHistoriesNameNoMachine(t *testing.T) {
	for name, history := range recorded(t) {
		for _, event := range history.GetEvents() {
			scheduled := event.GetWorkflowTaskScheduledEventAttributes()
			assert.Equal(t, enumspb.TASK_QUEUE_KIND_NORMAL, max(scheduled.GetTaskQueue().GetKind(), enumspb.TASK_QUEUE_KIND_NORMAL), name)
			for _, identity := range []string{
				event.GetWorkflowExecutionStartedEventAttributes().GetIdentity(),
				event.GetWorkflowTaskStartedEventAttributes().GetIdentity(),
				event.GetWorkflowTaskCompletedEventAttributes().GetIdentity(),
				event.GetActivityTaskStartedEventAttributes().GetIdentity(),
				event.GetActivityTaskCompletedEventAttributes().GetIdentity(),
				event.GetWorkflowExecutionSignaledEventAttributes().GetIdentity(),
			} {
				assert.Contains(t, []string{"", "lumaflow"}, identity, name)
			}
		}
	}
}
