package workflows_test

import (
	"io/fs"
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

	"lumaflow/test/historyfile"
	"lumaflow/worker/replay"
	"lumaflow/workflows"
)

// renderVariable is the environment variable that has TestHistoriesAreReadable
// write the texts instead of comparing them.
const renderVariable = "LUMAFLOW_RENDER_HISTORIES"

// recorded returns the recorded histories by name: those of all scenarios, and
// those of older releases.
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
	for _, s := range scenarios() {
		for _, name := range s.fileNames() {
			require.Contains(t, found, name, "record the scenario: see TestRecordHistories")
		}
	}
	return found
}

// A worker of this build can continue every recorded job.
func TestHistoriesReplay(t *testing.T) {
	for name, history := range recorded(t) {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, replay.Replay(t.Context(), history, replay.Options{}))
		})
	}
}

// externalEvents are the events that no command of the workflow causes. The events
// of commands are written together with their workflow task, so no history ends
// between them.
var externalEvents = []enumspb.EventType{
	enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
	enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED,
	enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
	enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED,
	enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED,
	enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED,
	enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED,
	enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT,
	enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED,
	enumspb.EVENT_TYPE_TIMER_FIRED,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT,
	enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED,
	enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED,
}

// Every history is replayed up to each of its external events, as an open job
// would be.
func TestUnfinishedHistoriesReplay(t *testing.T) {
	for name, history := range recorded(t) {
		t.Run(name, func(t *testing.T) {
			for length, next := range history.GetEvents() {
				if slices.Contains(externalEvents, next.GetEventType()) {
					cut := &historypb.History{Events: history.GetEvents()[:length]}
					require.NoError(t, replay.Replay(t.Context(), cut, replay.Options{}), "before event %d", length+1)
				}
			}
		})
	}
}

// closedFromOutside reports whether a run was terminated or timed out, so that its
// history has no end to compare with.
func closedFromOutside(history *historypb.History) bool {
	last := history.GetEvents()[len(history.GetEvents())-1].GetEventType()
	return last == enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED || last == enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT
}

// Each of these changes would strand open jobs, so the replay must fail.
func TestReplayDetectsIncompatibleChanges(t *testing.T) {
	changes := map[string]func(workflow.Context, workflows.ModifyVideoInput) (workflows.ModifyVideoResult, error){
		"a timer at the start": func(ctx workflow.Context, input workflows.ModifyVideoInput) (workflows.ModifyVideoResult, error) {
			if err := workflow.Sleep(ctx, time.Second); err != nil {
				return workflows.ModifyVideoResult{}, err
			}
			return workflows.Workflows{}.ModifyVideo(ctx, input)
		},
		"a completion at the start": func(workflow.Context, workflows.ModifyVideoInput) (result workflows.ModifyVideoResult, err error) {
			return result, nil
		},
		"no completion at the end": func(ctx workflow.Context, input workflows.ModifyVideoInput) (result workflows.ModifyVideoResult, err error) {
			// The change drops the result.
			_, _ = workflows.Workflows{}.ModifyVideo(ctx, input)
			ctx, _ = workflow.NewDisconnectedContext(ctx)
			return result, workflow.Await(ctx, func() bool { return false })
		},
		"failure and completion swapped at the end": func(ctx workflow.Context, input workflows.ModifyVideoInput) (result workflows.ModifyVideoResult, err error) {
			if _, err = (workflows.Workflows{}).ModifyVideo(ctx, input); err == nil {
				return result, workflow.ErrCanceled
			}
			return result, nil
		},
	}
	for changedAt, change := range changes {
		t.Run(changedAt, func(t *testing.T) {
			changed := replay.Options{Register: func(registry worker.WorkflowRegistry) {
				registry.RegisterWorkflowWithOptions(change, workflow.RegisterOptions{Name: workflows.ModifyVideoName})
			}}
			for name, history := range recorded(t) {
				if strings.Contains(changedAt, "end") && closedFromOutside(history) {
					continue
				}
				var broken *replay.BreakError
				require.ErrorAs(t, replay.Replay(t.Context(), history, changed), &broken, name)
				assert.NotContains(t, broken.Reason, "\n")
				assert.Less(t, len(broken.Reason), 400)
			}
		})
	}
}

// The texts beside the histories match them.
func TestHistoriesAreReadable(t *testing.T) {
	all := scenarios()
	for name, history := range recorded(t) {
		index := slices.IndexFunc(all, func(s scenario) bool { return slices.Contains(s.fileNames(), name) })
		known := scenario{about: recordedAbout(name)}
		if index >= 0 {
			known = all[index]
		}
		if os.Getenv(renderVariable) != "" {
			require.NoError(t, os.WriteFile(filepath.Join(histories, name+".txt"), []byte(known.text(name, history)), 0o600))
			continue
		}
		written, err := fs.ReadFile(os.DirFS(histories), name+".txt")
		require.NoError(t, err)
		assert.Equal(t, known.text(name, history), string(written), "%s: to write the texts again set %s=1", name, renderVariable)
		// A heading, a blank line and one line for each event.
		assert.Equal(t, 2+len(history.GetEvents()), strings.Count(string(written), "\n"), name)
	}
}

// recordedAbout is the heading of a history that an earlier release recorded.
func recordedAbout(name string) string {
	text, err := fs.ReadFile(os.DirFS(histories), name+".txt")
	heading, _, _ := strings.Cut(string(text), "\n")
	about, found := strings.CutPrefix(heading, "# "+name+": ")
	if err != nil || !found {
		return "recorded by an earlier release"
	}
	return about
}

// The history of a job without a fault is bounded.
func TestHappyPathIsShort(t *testing.T) {
	all := recorded(t)
	for _, name := range []string{happyPath, intendedPath} {
		events := all[name].GetEvents()
		require.Equal(t, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, events[len(events)-1].GetEventType(), name)
		require.LessOrEqual(t, len(events), 32, name)
	}
}

func TestScenarioNamesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range scenarios() {
		require.False(t, seen[s.name], s.name)
		require.NotEmpty(t, s.about, s.name)
		seen[s.name] = true
	}
}

// The histories are in the repository and must not name the machine that recorded
// them.
func TestHistoriesContainNoMachineName(t *testing.T) {
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
