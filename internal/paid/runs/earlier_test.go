package runs_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"

	"lumaflow/internal/paid/runs"
)

// loses is a submission at a minute past noon that failed without an outcome; a
// negative minute means that no evidence is left.
func loses(minute int) []*historypb.HistoryEvent {
	var details []any
	if minute >= 0 {
		details = append(details, map[string]any{"phase": "sending", "at": noon.Add(time.Duration(minute) * time.Minute), "attempts": 1})
	}
	scheduled := &historypb.HistoryEvent{
		EventId: int64(100 + minute), EventType: enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
		Attributes: &historypb.HistoryEvent_ActivityTaskScheduledEventAttributes{ActivityTaskScheduledEventAttributes: &historypb.ActivityTaskScheduledEventAttributes{
			ActivityType: &commonpb.ActivityType{Name: "Submit"}, Input: payloads(map[string]string{}),
		}},
	}
	return []*historypb.HistoryEvent{scheduled, {
		EventType: enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED,
		Attributes: &historypb.HistoryEvent_ActivityTaskFailedEventAttributes{ActivityTaskFailedEventAttributes: &historypb.ActivityTaskFailedEventAttributes{
			ScheduledEventId: scheduled.GetEventId(),
			Failure: &failurepb.Failure{FailureInfo: &failurepb.Failure_ApplicationFailureInfo{ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{
				Type: "SubmitUnknown", Details: payloads(details...),
			}}},
		}},
	}}
}

// proves is late evidence about the submission at a minute past noon; an empty task
// means that it was refused.
func proves(minute int, taskID string) []*historypb.HistoryEvent {
	phase := "accepted"
	if taskID == "" {
		phase = "refused"
	}
	return []*historypb.HistoryEvent{{
		EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
		Attributes: &historypb.HistoryEvent_WorkflowExecutionSignaledEventAttributes{WorkflowExecutionSignaledEventAttributes: &historypb.WorkflowExecutionSignaledEventAttributes{
			SignalName: "evidence", Input: payloads(map[string]any{"phase": phase, "at": noon.Add(time.Duration(minute) * time.Minute), "taskId": taskID}),
		}},
	}}
}

// adopts is the poll of a task, which the run adopted unless it was accepted.
func adopts(taskID string) []*historypb.HistoryEvent { return []*historypb.HistoryEvent{polls(taskID)} }

// readsEarlier is what a run has read from the earlier ones.
func readsEarlier(earlier runs.Earlier) []*historypb.HistoryEvent {
	scheduled := &historypb.HistoryEvent{
		EventId: 7, EventType: enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
		Attributes: &historypb.HistoryEvent_ActivityTaskScheduledEventAttributes{ActivityTaskScheduledEventAttributes: &historypb.ActivityTaskScheduledEventAttributes{
			ActivityType: &commonpb.ActivityType{Name: "EarlierRuns"},
		}},
	}
	return []*historypb.HistoryEvent{scheduled, {
		EventType: enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED,
		Attributes: &historypb.HistoryEvent_ActivityTaskCompletedEventAttributes{ActivityTaskCompletedEventAttributes: &historypb.ActivityTaskCompletedEventAttributes{
			ScheduledEventId: 7, Result: payloads(earlier),
		}},
	}}
}

// earlierText is an answer in one line: the tasks, and the minutes of the unknown
// submissions.
func earlierText(earlier runs.Earlier) string {
	var parts []string
	for _, task := range earlier.Tasks {
		parts = append(parts, task.TaskID)
	}
	for _, unknown := range earlier.Unknown {
		if unknown.At.IsZero() {
			parts = append(parts, "?")
		} else {
			parts = append(parts, fmt.Sprint(unknown.At.Sub(noon).Minutes()))
		}
	}
	return strings.Join(parts, " ")
}

// The answer has each submission of the chain whose outcome is unknown.
func TestEarlier(t *testing.T) {
	t.Parallel()
	lostTwice := runs.Earlier{Unknown: []runs.Submission{{At: noon.Add(time.Minute)}, {At: noon.Add(2 * time.Minute)}}}
	tests := []struct {
		name string
		// earlier are the events of the earlier runs, the oldest first.
		earlier [][][]*historypb.HistoryEvent
		deleted []string
		want    string
	}{
		{"nothing", [][][]*historypb.HistoryEvent{{}}, nil, ""},
		{"one", [][][]*historypb.HistoryEvent{{loses(1)}}, nil, "1"},
		{"two of one run", [][][]*historypb.HistoryEvent{{loses(1), loses(2)}}, nil, "1 2"},
		{"without evidence", [][][]*historypb.HistoryEvent{{loses(1), loses(-1)}}, nil, "? 1"},
		{"a callback settles the oldest", [][][]*historypb.HistoryEvent{{loses(1), loses(2), adopts("t")}}, nil, "t 2"},
		{"evidence settles its own", [][][]*historypb.HistoryEvent{{loses(1), loses(2), proves(2, "t")}}, nil, "t 1"},
		{"refused", [][][]*historypb.HistoryEvent{{loses(1), loses(2), proves(1, "")}}, nil, "2"},
		{"evidence about another submission", [][][]*historypb.HistoryEvent{{loses(1), proves(9, "")}}, nil, "1"},
		{"evidence before the failure", [][][]*historypb.HistoryEvent{{proves(1, "t"), loses(1)}}, nil, "t"},
		{"evidence of the adopted task", [][][]*historypb.HistoryEvent{{loses(1), loses(2), adopts("t"), proves(2, "t")}}, nil, "t 1"},
		{"a submission without evidence, adopted and proven", [][][]*historypb.HistoryEvent{{loses(-1), adopts("t"), proves(2, "t")}}, nil, "t"},
		{"two tasks for one submission", [][][]*historypb.HistoryEvent{{loses(1), adopts("t"), adopts("u")}}, nil, "t u"},
		{"a reset copies both", [][][]*historypb.HistoryEvent{{loses(1), loses(2)}, {loses(1), loses(2)}}, nil, "1 2"},
		{"a later run finds the task of one", [][][]*historypb.HistoryEvent{{loses(1), loses(2)}, {readsEarlier(lostTwice), adopts("t")}}, nil, "t 2"},
		{"a later run loses another", [][][]*historypb.HistoryEvent{{loses(1), loses(2)}, {readsEarlier(lostTwice), loses(3)}}, nil, "1 2 3"},
		{"proof in a later run", [][][]*historypb.HistoryEvent{{loses(1), loses(2), adopts("t")}, {loses(1), loses(2), proves(2, "t")}}, nil, "t 1"},
		{"a deleted run beside a lost submission", [][][]*historypb.HistoryEvent{{}, {loses(2)}}, []string{"1"}, "? 2"},
		{"two deleted runs", [][][]*historypb.HistoryEvent{{}, {}}, []string{"1", "2"}, "? ?"},
		{"a deleted run, read before", [][][]*historypb.HistoryEvent{{}, {readsEarlier(runs.Earlier{Unknown: []runs.Submission{{}}})}}, []string{"1"}, "?"},
		{"a deleted run, and its task is found", [][][]*historypb.HistoryEvent{{}, {readsEarlier(runs.Earlier{Unknown: []runs.Submission{{}}}), adopts("t")}}, []string{"1"}, "t"},
		{"lost by a run that is deleted", [][][]*historypb.HistoryEvent{{}, {readsEarlier(lostTwice)}}, []string{"1"}, "? 1 2"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newServer()
			s.deleted = test.deleted
			for i, events := range test.earlier {
				added := s.add("job", strconv.Itoa(i+1), i, terminated, started())
				added.info.FirstRunId = "1"
				for _, more := range events {
					added.events = append(added.events, more...)
				}
			}
			s.add("job", "last", 9, running, started()).info.FirstRunId = "1"
			s.add("job", "of an earlier chain", -1, failed, loses(8)...)
			earlier, err := s.reader().Earlier(t.Context(), "job", "last", runs.Progress{}, func(runs.Progress) {})
			require.NoError(t, err)
			require.Equal(t, test.want, earlierText(earlier))
			require.Equal(t, "last", earlier.RunID)
			require.Equal(t, len(test.earlier)-len(test.deleted), earlier.Runs)
			require.Equal(t, len(test.deleted) > 0, earlier.Unread != "")
		})
	}
}

// A read that ends after any run is continued, and reads no run twice. Its
// progress survives as JSON.
func TestEarlierContinues(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		// arrange adds the runs before the run "last" of the chain that begins with "1".
		arrange func(*server)
		runs    int
		want    string
	}{
		// Visibility without the youngest runs leaves them to the links.
		{"a long chain", func(s *server) {
			s.unlisted, s.deleted = []string{"1", "2", "3"}, []string{"4"}
			s.add("job", "1", 0, terminated, append(loses(1), loses(2)...)...)
			s.add("job", "2", 1, terminated, append(loses(1), append(proves(2, "t"), resets("1"))...)...)
			s.add("job", "3", 2, terminated, append(proves(2, "t"), append(loses(3), resets("2"))...)...)
			s.add("job", "4", 3, terminated, started())
			s.add("job", "5", 4, terminated, append(loses(5), proves(5, "")...)...)
			s.add("job", "6", 5, terminated, append(loses(6), adopts("u")...)...)
			for _, r := range s.runs {
				r.info.FirstRunId = "1"
			}
			s.add("job", "of a later chain", 6, failed, loses(8)...)
		}, 7, "t u 1 3 6"},
		{"later chains that paid", func(s *server) {
			s.add("job", "1", 0, terminated, started())
			s.add("job", "2", 1, terminated, takes("t")...)
			s.add("job", "3", 2, terminated, loses(1)...)
		}, 3, "t 1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newServer()
			test.arrange(s)
			s.add("job", "last", 9, running, started(), resets("3")).info.FirstRunId = "1"
			whole, err := s.reader().Earlier(t.Context(), "job", "last", runs.Progress{}, func(runs.Progress) {})
			require.NoError(t, err)
			require.Equal(t, test.want, earlierText(whole))
			for stop := 1; stop < test.runs; stop++ {
				s.histories = 0
				kept := []byte("{}")
				_, err := s.reader().Earlier(t.Context(), "job", "last", runs.Progress{}, func(progress runs.Progress) {
					kept, err = json.Marshal(progress)
					require.NoError(t, err)
					if len(progress.Read) == stop {
						s.errors["describe"] = []error{serviceerror.NewUnavailable("killed")}
					}
				})
				require.ErrorContains(t, err, "killed")
				var from runs.Progress
				require.NoError(t, json.Unmarshal(kept, &from))
				require.Len(t, from.Read, stop)
				continued, err := s.reader().Earlier(t.Context(), "job", "last", from, func(runs.Progress) {})
				require.NoError(t, err)
				require.Equal(t, whole, continued, "ended after %d", stop)
				require.Equal(t, test.runs-len(s.deleted)+2, s.histories, "each run is read once, the last one twice")
			}
		})
	}
}

// resets is the event that a reset from another run leaves.
func resets(runID string) *historypb.HistoryEvent {
	return &historypb.HistoryEvent{
		EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED,
		Attributes: &historypb.HistoryEvent_WorkflowTaskFailedEventAttributes{WorkflowTaskFailedEventAttributes: &historypb.WorkflowTaskFailedEventAttributes{
			BaseRunId: runID,
		}},
	}
}

// A run of an older chain is reset after a later chain has paid.
func TestLaterChain(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		own, later []*historypb.HistoryEvent
		want       string
	}{
		{"that paid", nil, takes("t"), "t"},
		{"that began to send", nil, loses(8), "8"},
		{"that paid nothing", nil, nil, ""},
		{"while the own chain has a task", takes("t"), append(takes("u"), loses(8)...), "t"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newServer()
			s.add("job", "1", 0, failed, append([]*historypb.HistoryEvent{started()}, test.own...)...)
			s.add("job", "2", 1, completed, append([]*historypb.HistoryEvent{started()}, test.later...)...)
			s.add("job", "reset of 1", 2, running, started()).info.FirstRunId = "1"
			earlier, err := s.reader().Earlier(t.Context(), "job", "reset of 1", runs.Progress{}, func(runs.Progress) {})
			require.NoError(t, err)
			require.Equal(t, test.want, earlierText(earlier))
		})
	}
}

// A run that visibility does not list yet may not be the only one.
func TestVisibilityIsBehind(t *testing.T) {
	t.Parallel()
	s := newServer()
	s.unlisted = []string{"1"}
	s.add("job", "1", 0, running, started())
	_, err := s.reader().Earlier(t.Context(), "job", "1", runs.Progress{}, func(runs.Progress) {})
	require.ErrorContains(t, err, "visibility does not list run 1 of job yet")
}

func takes(taskID string) []*historypb.HistoryEvent { return []*historypb.HistoryEvent{polls(taskID)} }

func TestFirst(t *testing.T) {
	t.Parallel()
	s := newServer()
	s.add("job", "1", 0, terminated, started())
	s.add("job", "2", 1, running, started()).info.FirstRunId = "1"
	s.add("job", "3", 2, running, started()).info.FirstRunId = ""
	for runID, want := range map[string]string{"1": "1", "2": "1", "3": ""} {
		first, err := s.reader().First(t.Context(), "job", runID)
		require.NoError(t, err)
		require.Equal(t, want, first)
	}
	_, err := s.reader().First(t.Context(), "job", "4")
	var notFound *serviceerror.NotFound
	require.ErrorAs(t, err, &notFound)
}
