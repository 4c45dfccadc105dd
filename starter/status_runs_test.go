package starter_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"

	"lumaflow/activities"
	"lumaflow/internal/paid"
	"lumaflow/starter"
	"lumaflow/test/startertest"
	"lumaflow/workflows"
)

// endedRun adds an earlier run of a job, an hour older than the ones before, that
// ended with facts: in its failure, or in its memo if it was ended from outside.
func endedRun(f *startertest.Temporal, status enumspb.WorkflowExecutionStatus, errorType string, facts paid.Facts) *startertest.Run {
	latest := f.Runs[jobID]
	run := f.Job(jobID)
	f.Runs[jobID] = latest
	f.EarlierRuns = append(f.EarlierRuns, run)
	run.RunID = "run-" + string(rune('0'+len(f.EarlierRuns)))
	run.Started = run.Started.Add(-time.Duration(len(f.EarlierRuns)) * time.Hour)
	switch status {
	case statusFailed:
		run.History.EndFailed(startertest.ApplicationError(errorType, "no", facts))
	case statusCompleted:
		run.Memo = &facts
		run.History.EndCompleted(workflows.ModifyVideoResult{TaskID: facts.TaskID})
	case statusCanceled:
		run.History.EndCanceled("cancelled", facts)
	default:
		run.Memo = &facts
		run.History.EndTerminated()
	}
	return run.End(status, time.Minute)
}

func TestStatusCountsRuns(t *testing.T) {
	tests := []struct {
		name string
		runs func(*startertest.Temporal)
		want string
	}{
		{"one", func(*startertest.Temporal) {}, ""},
		{"a reset done job", func(f *startertest.Temporal) {
			endedRun(f, statusCompleted, "", paid.Facts{TaskID: "t"})
		}, "2 runs, 1 charge"},
		{"an earlier run with another task", func(f *startertest.Temporal) {
			endedRun(f, statusTerminated, "", paid.Facts{TaskID: "t", PaidOpen: true})
			endedRun(f, statusFailed, workflows.GenerationFailed, paid.Facts{TaskID: "u"})
		}, "3 runs, 2 charges"},
		{"nothing paid before", func(f *startertest.Temporal) {
			endedRun(f, statusFailed, workflows.InvalidRequest, paid.Facts{TaskID: "no record of it"})
		}, "2 runs, 1 charge"},
		{"an unknown submission of another chain", func(f *startertest.Temporal) {
			endedRun(f, statusFailed, workflows.SubmitUnknown, paid.Facts{PaidOpen: true})
		}, "2 runs, 1 charge, 1 more possible with an unknown task"},
		{"an unknown submission that the latest run has adopted", func(f *startertest.Temporal) {
			f.Runs[jobID].FirstRunID = endedRun(f, statusFailed, workflows.SubmitUnknown, paid.Facts{PaidOpen: true}).RunID
		}, "2 runs, 1 charge"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fake := startertest.New(t)
			fake.Job(jobID).Answers(workflows.Status{Stage: workflows.StageWaiting, TaskID: "t"}).Memo = &paid.Facts{TaskID: "t", PaidOpen: true}
			test.runs(fake)
			report, err := starter.New(fake, starter.Options{}).Status(t.Context(), jobID)
			require.NoError(t, err)
			require.Empty(t, report.Note)
			if test.want == "" {
				require.Nil(t, report.Runs)
				return
			}
			require.Equal(t, test.want, report.Runs.String())
			encoded, err := json.Marshal(report)
			require.NoError(t, err)
			require.Contains(t, string(encoded), `"runs":{"count":`)
		})
	}
}

// A status without the list of the runs is still a status.
func TestStatusWithoutOtherRuns(t *testing.T) {
	fake := startertest.New(t)
	fake.Job(jobID).Answers(workflows.Status{Stage: workflows.StageWaiting})
	fake.ListError = serviceerror.NewUnavailable("no visibility")
	report, err := starter.New(fake, starter.Options{}).Status(t.Context(), jobID)
	require.NoError(t, err)
	require.Nil(t, report.Runs)
	require.Contains(t, report.Note, "the other runs of the job could not be read")
}

func TestStatusOfAPausedActivity(t *testing.T) {
	for namespace, flag := range map[string]string{"": "", "studio": " --namespace studio"} {
		fake := startertest.New(t)
		fake.Job(jobID).Answers(workflows.Status{Stage: workflows.StageWaiting}).Pending = []*workflowpb.PendingActivityInfo{{
			ActivityId: "17", ActivityType: &commonpb.ActivityType{Name: "Poll"}, Attempt: 3, Paused: true,
			LastFailure: startertest.FailureOf(startertest.ApplicationError(activities.Pending, "not yet")),
		}}
		report, err := starter.New(fake, starter.Options{Namespace: namespace}).Status(t.Context(), jobID)
		require.NoError(t, err)
		require.Len(t, report.Pending, 1)
		require.Equal(t, "temporal activity unpause --workflow-id "+jobID+" --activity-id 17"+flag, report.Pending[0].Next)
	}
}

// A timeout of the start that ends the job before its deadline is shown.
func TestStatusOfAShortTimeout(t *testing.T) {
	tests := []struct {
		name           string
		deadline       string
		run, execution time.Duration
		want           string
	}{
		{"none", "", 0, 0, ""},
		{"a run timeout", "", time.Hour, 0, "it was started with run timeout 1h0m0s, which is shorter than its deadline of 24h0m0s: "},
		{"an execution timeout, which bounds each run", "2h", time.Hour, time.Hour, "it was started with execution timeout 1h0m0s, which is shorter than its deadline of 2h0m0s: "},
		{"a long one", "2h", 3 * time.Hour, 0, ""},
		{"a malformed deadline", "soon", time.Hour, 0, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fake := startertest.New(t)
			job := fake.Job(jobID).Answers(workflows.Status{Stage: workflows.StageWaiting})
			job.RunTimeout, job.ExecutionTimeout = test.run, test.execution
			job.History = startertest.NewHistory(t, workflows.ModifyVideoInput{Prompt: "snow", VideoURL: startertest.Video, Deadline: test.deadline})
			report, err := starter.New(fake, starter.Options{}).Status(t.Context(), jobID)
			require.NoError(t, err)
			if test.want == "" {
				require.Empty(t, report.Note)
				return
			}
			require.Contains(t, report.Note, test.want)
		})
	}
}
