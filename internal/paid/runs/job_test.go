package runs_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"

	"lumaflow/internal/paid"
	"lumaflow/internal/paid/runs"
)

const (
	running    = enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	completed  = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
	failed     = enumspb.WORKFLOW_EXECUTION_STATUS_FAILED
	terminated = enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED
	paused     = enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED
	cancelled  = enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED
	timedOut   = enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT
)

func payloads(values ...any) *commonpb.Payloads {
	encoded, err := data.ToPayloads(values...)
	if err != nil {
		panic(err)
	}
	return encoded
}

// started is the first event of a job that submits.
func started() *historypb.HistoryEvent {
	return &historypb.HistoryEvent{
		EventType:  enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
		Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{}},
	}
}

// polls is the schedule of a poll.
func polls(taskID string) *historypb.HistoryEvent {
	return &historypb.HistoryEvent{
		EventId: 5, EventType: enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
		Attributes: &historypb.HistoryEvent_ActivityTaskScheduledEventAttributes{ActivityTaskScheduledEventAttributes: &historypb.ActivityTaskScheduledEventAttributes{
			ActivityType: &commonpb.ActivityType{Name: "Poll"}, Input: payloads(map[string]string{"taskId": taskID}),
		}},
	}
}

// noVideo is the failed end of the poll.
func noVideo() *historypb.HistoryEvent {
	return &historypb.HistoryEvent{
		EventType: enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED,
		Attributes: &historypb.HistoryEvent_ActivityTaskFailedEventAttributes{ActivityTaskFailedEventAttributes: &historypb.ActivityTaskFailedEventAttributes{
			ScheduledEventId: 5, Failure: &failurepb.Failure{FailureInfo: &failurepb.Failure_ApplicationFailureInfo{ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{
				Type: "GenerationFailed",
			}}},
		}},
	}
}

// submits is the schedule of a submission that has no end and, as one of lumaflow
// v0.1, may have sent its request.
func submits() *historypb.HistoryEvent {
	return &historypb.HistoryEvent{
		EventId: 6, EventType: enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
		Attributes: &historypb.HistoryEvent_ActivityTaskScheduledEventAttributes{ActivityTaskScheduledEventAttributes: &historypb.ActivityTaskScheduledEventAttributes{
			ActivityType: &commonpb.ActivityType{Name: "Submit"},
		}},
	}
}

func done(taskID string) *historypb.HistoryEvent {
	return completes(map[string]string{"taskId": taskID})
}

func completes(result ...any) *historypb.HistoryEvent {
	return &historypb.HistoryEvent{
		EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
		Attributes: &historypb.HistoryEvent_WorkflowExecutionCompletedEventAttributes{WorkflowExecutionCompletedEventAttributes: &historypb.WorkflowExecutionCompletedEventAttributes{
			Result: payloads(result...),
		}},
	}
}

func cancels(details ...any) *historypb.HistoryEvent {
	return &historypb.HistoryEvent{
		EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
		Attributes: &historypb.HistoryEvent_WorkflowExecutionCanceledEventAttributes{WorkflowExecutionCanceledEventAttributes: &historypb.WorkflowExecutionCanceledEventAttributes{
			Details: payloads(details...),
		}},
	}
}

func fails(errorType string, details ...any) *historypb.HistoryEvent {
	return &historypb.HistoryEvent{
		EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
		Attributes: &historypb.HistoryEvent_WorkflowExecutionFailedEventAttributes{WorkflowExecutionFailedEventAttributes: &historypb.WorkflowExecutionFailedEventAttributes{
			Failure: &failurepb.Failure{FailureInfo: &failurepb.Failure_ApplicationFailureInfo{ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{
				Type: errorType, Details: payloads(details...),
			}}},
		}},
	}
}

// A run is read from its memo or its end; its history is read only without them, or
// with the memo of a run that was ended from outside.
func TestRun(t *testing.T) {
	t.Parallel()
	known, unknown := paid.Facts{TaskID: "t", PaidOpen: true}, paid.Facts{PaidOpen: true}
	tests := []struct {
		name      string
		run       func(*server) *run
		want      string
		histories int
	}{
		{"open", func(s *server) *run { return s.add("job", "r", 0, running, started()).remember(known) }, "open t", 0},
		{"open, submitting", func(s *server) *run { return s.add("job", "r", 0, running, started()).remember(unknown) }, "open", 0},
		{"open, without a memo", func(s *server) *run { return s.add("job", "r", 0, running, started(), polls("t")) }, "open t", 1},
		{"terminated", func(s *server) *run { return s.add("job", "r", 0, terminated, started()).remember(known) }, "open t", 1},
		{"terminated, another task in its history", func(s *server) *run {
			return s.add("job", "r", 0, terminated, started(), polls("u")).remember(known)
		}, "open t others u", 1},
		{"timed out, another task and an unknown submission in its history", func(s *server) *run {
			return s.add("job", "r", 0, timedOut, started(), polls("u"), polls("t"), submits()).remember(known)
		}, "open t others u unresolved", 1},
		{"terminated, its task has no video", func(s *server) *run {
			return s.add("job", "r", 0, terminated, started(), polls("t"), noVideo()).remember(known)
		}, "t", 1},
		{"terminated, its task has no video and a submission is unknown", func(s *server) *run {
			return s.add("job", "r", 0, terminated, started(), polls("t"), noVideo(), submits()).remember(known)
		}, "open", 1},
		{"terminated, without a memo", func(s *server) *run {
			return s.add("job", "r", 0, terminated, started(), polls("t"), submits())
		}, "open t unresolved", 1},
		{"terminated, while its callback was read", func(s *server) *run {
			return s.add("job", "r", 0, terminated, started(), polls("t")).remember(unknown)
		}, "open t", 1},
		{"completed", func(s *server) *run { return s.add("job", "r", 0, completed, started(), done("t")).remember(known) }, "t", 0},
		{"completed, another task left", func(s *server) *run {
			return s.add("job", "r", 0, completed, started(), done("t")).remember(paid.Facts{TaskID: "t", PaidOpen: true, OtherTasks: []string{"u"}})
		}, "open t others u", 0},
		{"completed, an unknown submission left", func(s *server) *run {
			return s.add("job", "r", 0, completed, started(), done("t")).remember(paid.Facts{TaskID: "t", PaidOpen: true, Unresolved: true})
		}, "open t unresolved", 0},
		{"failed", func(s *server) *run {
			return s.add("job", "r", 0, failed, started(), fails("SubmitUnknown", paid.Facts{TaskID: "t", PaidOpen: true, OtherTasks: []string{"u"}})).remember(known)
		}, "open t others u", 0},
		{"failed, without details", func(s *server) *run {
			return s.add("job", "r", 0, failed, started(), polls("t"), fails("ResultOverdue"))
		}, "open t", 1},
		{"failed, without details or a task", func(s *server) *run {
			return s.add("job", "r", 0, failed, started(), fails("DownloadRejected"))
		}, "open", 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newServer()
			got, err := s.reader().Run(t.Context(), test.run(s).info)
			require.NoError(t, err)
			require.Equal(t, test.want, summary(got.Facts))
			require.Equal(t, test.histories, s.histories)
		})
	}
}

// paymentsOf are the payments of a job in one line: those of the latest run first.
func paymentsOf(job runs.Job) string {
	var all []string
	for _, payment := range job.Payments() {
		text := payment.Run.Info.GetExecution().GetRunId() + ":" + payment.TaskID
		if payment.Stored {
			text += " stored"
		}
		if payment.NoVideo {
			text += " failed"
		}
		if payment.Gone {
			text += " gone"
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

func TestPayments(t *testing.T) {
	t.Parallel()
	overdue := fails("ResultOverdue", paid.Facts{TaskID: "t", PaidOpen: true})
	lost := fails("SubmitUnknown", paid.Facts{PaidOpen: true})
	tests := []struct {
		name string
		runs func(*server)
		want string
	}{
		{"no run", func(*server) {}, ""},
		{"nothing paid", func(s *server) {
			s.add("job", "1", 0, failed, fails("InvalidRequest", paid.Facts{TaskID: "no record"}))
		}, ""},
		{"overdue, then nothing", func(s *server) {
			s.add("job", "1", 0, failed, overdue)
			s.add("job", "2", 1, failed, fails("InvalidRequest", paid.Facts{}))
		}, "1:t"},
		{"stored later", func(s *server) {
			s.add("job", "1", 0, failed, overdue)
			s.add("job", "2", 1, completed, done("t"))
		}, "2:t stored"},
		{"stored before", func(s *server) {
			s.add("job", "1", 0, completed, done("t"))
			s.add("job", "2", 1, failed, overdue)
		}, "2:t stored"},
		{"failed later", func(s *server) {
			s.add("job", "1", 0, failed, overdue)
			s.add("job", "2", 1, failed, fails("GenerationFailed", paid.Facts{TaskID: "t"}))
		}, "2:t failed"},
		{"failed, with another task open", func(s *server) {
			s.add("job", "1", 0, failed, fails("SubmitUnknown", paid.Facts{TaskID: "t", PaidOpen: true, OtherTasks: []string{"u"}}))
		}, "1:t, 1:u"},
		{"unknown", func(s *server) { s.add("job", "1", 0, failed, lost) }, "1:"},
		{"unknown, with possible tasks", func(s *server) {
			s.add("job", "1", 0, failed, fails("SubmitUnknown", paid.Facts{PaidOpen: true, OtherTasks: []string{"u", "v"}}))
		}, "1:u, 1:v"},
		{"unknown, then another take", func(s *server) {
			s.add("job", "1", 0, failed, lost)
			s.add("job", "2", 1, completed, done("t"))
		}, "2:t stored, 1:"},
		{"completed, with another task and an unknown submission", func(s *server) {
			s.add("job", "1", 0, completed, done("t")).remember(paid.Facts{TaskID: "t", PaidOpen: true, OtherTasks: []string{"u"}, Unresolved: true})
		}, "1:t stored, 1:u, 1:"},
		{"unknown beside a task, which a later run of the chain stores", func(s *server) {
			s.add("job", "1", 0, failed, fails("ResultOverdue", paid.Facts{TaskID: "t", PaidOpen: true, Unresolved: true}))
			s.add("job", "2", 1, completed, done("t")).info.FirstRunId = "1"
		}, "2:t stored, 1:"},
		{"unknown beside a task, and adopted by a later run of the chain", func(s *server) {
			s.add("job", "1", 0, failed, fails("ResultOverdue", paid.Facts{TaskID: "t", PaidOpen: true, Unresolved: true}))
			s.add("job", "2", 1, completed, done("u")).info.FirstRunId = "1"
		}, "2:u stored, 1:t"},
		{"unknown, then adopted by a later run of the chain", func(s *server) {
			s.add("job", "1", 0, failed, lost)
			s.add("job", "2", 1, completed, done("t")).info.FirstRunId = "1"
		}, "2:t stored"},
		{"unknown, and carried on", func(s *server) {
			s.add("job", "1", 0, failed, lost)
			s.add("job", "2", 1, running, started()).remember(paid.Facts{PaidOpen: true}).info.FirstRunId = "1"
		}, "2:"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newServer()
			test.runs(s)
			s.add("another job", "other", 0, failed, overdue)
			job, err := s.reader().Job(t.Context(), "job")
			require.NoError(t, err)
			require.Equal(t, test.want, paymentsOf(job))
		})
	}
}

// The latest run of a task has the times that only an earlier one knew.
func TestPaymentsKeepTimes(t *testing.T) {
	t.Parallel()
	s := newServer()
	s.add("job", "1", 0, failed, fails("ResultOverdue", paid.Facts{TaskID: "t", PaidOpen: true, SubmittedAt: noon, EndedAt: noon.Add(time.Minute)}))
	s.add("job", "2", 1, running, started()).remember(paid.Facts{TaskID: "t", PaidOpen: true})
	job, err := s.reader().Job(t.Context(), "job")
	require.NoError(t, err)
	payments := job.Payments()
	require.Len(t, payments, 1)
	require.Equal(t, "2", payments[0].Run.Info.GetExecution().GetRunId())
	require.Equal(t, noon, payments[0].Run.Facts.SubmittedAt)
	require.Equal(t, noon.Add(time.Minute), payments[0].Run.Facts.EndedAt)
}

// Visibility lists deleted runs for a moment, and lacks new ones.
func TestJobListsLag(t *testing.T) {
	t.Parallel()
	s := newServer()
	s.deleted, s.unlisted = []string{"1"}, []string{"3"}
	s.add("job", "1", 0, failed, fails("ResultOverdue", paid.Facts{TaskID: "t", PaidOpen: true}))
	s.add("job", "2", 1, completed, done("u"))
	latest := runs.Run{Info: s.add("job", "3", 2, running, started()).info, Facts: paid.Facts{TaskID: "v", PaidOpen: true}}
	job, err := s.reader().Job(t.Context(), "job", latest)
	require.NoError(t, err)
	require.Equal(t, "3:v, 2:u stored", paymentsOf(job))
}

func TestSettlement(t *testing.T) {
	t.Parallel()
	collector := runs.CollectorID("t")
	tests := []struct {
		name              string
		runs              func(*server)
		settled, complete bool
		gone              bool
	}{
		{"no other job", func(*server) {}, false, true, false},
		{"collected", func(s *server) { s.add(collector, "1", 0, completed, done("t")) }, true, true, false},
		{"found to have failed", func(s *server) {
			s.add(collector, "1", 0, failed, fails("GenerationFailed", paid.Facts{TaskID: "t"}))
		}, true, true, false},
		{"found to be gone", func(s *server) {
			s.add(collector, "1", 0, failed, fails("ResultOverdue", paid.Facts{TaskID: "t"}))
		}, true, true, true},
		{"found to be gone, without the search attribute", func(s *server) {
			s.noAttributes = true
			s.add(collector, "1", 0, failed, fails("ResultOverdue", paid.Facts{TaskID: "t"}))
		}, true, true, true},
		{"found to be gone, but stored by a job of another id", func(s *server) {
			s.add(collector, "1", 0, failed, fails("ResultOverdue", paid.Facts{TaskID: "t"}))
			s.add("job of t", "1", 0, completed, done("t")).task = "t"
		}, true, true, false},
		{"looked up under a model or a key that is not the task's", func(s *server) {
			s.add(collector, "1", 0, failed, fails("InvalidRequest", paid.Facts{TaskID: "t"}))
		}, false, true, false},
		{"being collected", func(s *server) {
			s.add(collector, "1", 0, running, started()).remember(paid.Facts{TaskID: "t", PaidOpen: true})
		}, false, true, false},
		{"not collected", func(s *server) {
			s.add(collector, "1", 0, failed, fails("DownloadRejected", paid.Facts{TaskID: "t", PaidOpen: true}))
		}, false, true, false},
		{"stored by a job of another id", func(s *server) { s.add("job of t", "1", 0, completed, done("t")).task = "t" }, true, true, false},
		{"without the search attribute", func(s *server) {
			s.noAttributes = true
			s.add("job of t", "1", 0, completed, done("t")).task = "t"
		}, false, false, false},
		{"collected, without the search attribute", func(s *server) {
			s.noAttributes = true
			s.add(collector, "1", 0, completed, done("t"))
		}, true, true, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newServer()
			test.runs(s)
			found, err := s.reader().Settlement(t.Context(), "t")
			require.NoError(t, err)
			require.Equal(t, test.settled, found.Settled)
			require.Equal(t, test.gone, found.Gone)
			require.Equal(t, test.complete, !found.Incomplete)
			require.Equal(t, s.latest(collector) != nil, found.Collector != nil)
		})
	}
}
